"""Negative log-likelihoods from the textbook densities: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp


def gaussian(output, target, scale):
    return -mp.log(mp.npdf(target, output, scale))


def laplace(output, target, scale):
    return -mp.log(mp.exp(-abs(target - output) / scale) / (2 * scale))


def bernoulli(output, target):
    odds = mp.exp(output)  # p / (1 - p)
    return mp.log((1 + odds) / odds) if target == 1 else mp.log(1 + odds)


def continuous_bernoulli(output, target):
    log_one = -mp.log(1 + mp.exp(-output))  # log of sigmoid(output)
    log_zero = -mp.log(1 + mp.exp(output))
    return -mp.log(_normaliser(output)) - target * log_one - (1 - target) * log_zero


def _normaliser(logit):
    if abs(logit) < mp.mpf("1e-60"):  # the limit: the next term is a twelfth of the logit's square
        return mp.mpf(2)
    center = 1 - 2 / (1 + mp.exp(-logit))
    if abs(logit) > 100:  # atanh of one within the working precision: its argument's definition gives the logit back
        return -logit / center
    return 2 * mp.atanh(center) / center


def poisson(output, target):
    return -mp.log(mp.exp(-output) * output**target / mp.factorial(target))


def negative_binomial(output, target, inverse_dispersion):
    failure = inverse_dispersion / (inverse_dispersion + output)
    ways = mp.loggamma(target + inverse_dispersion) - mp.loggamma(inverse_dispersion) - mp.loggamma(target + 1)
    return -(ways + inverse_dispersion * mp.log(failure) + _x_log_y(target, 1 - failure))


def _x_log_y(x, y):
    return 0 if x == 0 else x * mp.log(y)
