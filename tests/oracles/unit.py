"""Negative log-likelihoods from the textbook densities on 0 to 1: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp


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


def beta(output, target, concentration):
    log_a = mp.log(concentration) - mp.log(1 + mp.exp(-output))
    log_b = mp.log(concentration) - mp.log(1 + mp.exp(output))
    normaliser = _log_gamma(log_a) + _log_gamma(log_b) - mp.loggamma(concentration)
    return normaliser - (mp.exp(log_a) - 1) * mp.log(target) - (mp.exp(log_b) - 1) * mp.log(1 - target)


def _log_gamma(log_z):
    """Of a positive number given by its logarithm: the gamma function of a small number is its reciprocal."""
    return -log_z if log_z < -1000 else mp.loggamma(mp.exp(log_z))
