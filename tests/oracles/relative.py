"""Relative losses from their textbook formulas: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp


def mean_squared_log(output, target):
    return (mp.log(1 + output) - mp.log(1 + target)) ** 2


def tweedie(output, target, power):
    output = max(output, mp.mpf(2) ** -126) if target else output  # what an output counts as at least, in float32
    if power == 1:
        return 2 * ((target * mp.log(target / output) if target else 0) - target + output)
    bracket = target ** (2 - power) / ((1 - power) * (2 - power)) - target * output ** (1 - power) / (1 - power)
    return 2 * (bracket + output ** (2 - power) / (2 - power))


def tweedie_slope(output, target, power):
    """The gradient given: the derivative, but where it would exceed about 1e35 that of a larger output."""
    if target:
        output = max(output, float(2.0**-116 * target) ** (1 / power), 2.0**-126)
    return 2 * (output - target) * output**-power
