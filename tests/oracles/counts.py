"""Negative log-likelihoods from the textbook distributions of counts: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp


def poisson(output, target):
    return -mp.log(mp.exp(-output) * output**target / mp.factorial(target))


def negative_binomial(output, target, inverse_dispersion):
    failure = inverse_dispersion / (inverse_dispersion + output)
    ways = mp.loggamma(target + inverse_dispersion) - mp.loggamma(inverse_dispersion) - mp.loggamma(target + 1)
    return -(ways + inverse_dispersion * mp.log(failure) + _x_log_y(target, 1 - failure))


def _x_log_y(x, y):
    return 0 if x == 0 else x * mp.log(y)


def zero_inflated_poisson(output, target, zero_odds):
    return _inflated(poisson, output, target, zero_odds)


def zero_inflated_negative_binomial(output, target, inverse_dispersion, zero_odds):
    return _inflated(negative_binomial, output, target, zero_odds, inverse_dispersion)


def _inflated(nats, output, target, odds, *shape):
    lost = odds / (1 + odds)
    return -mp.log((lost if target == 0 else 0) + (1 - lost) * mp.exp(-nats(output, target, *shape)))
