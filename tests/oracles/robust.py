"""Robust losses from their textbook formulas: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp


def charbonnier(output, target, scale):
    return mp.sqrt((output - target) ** 2 + scale**2) - scale


def cauchy(output, target, scale):
    return scale**2 / 2 * mp.log(1 + ((output - target) / scale) ** 2)


def geman_mcclure(output, target, scale):
    squared = (output - target) ** 2
    return scale**2 * squared / (2 * (scale**2 + squared))


def welsch(output, target, scale):
    return scale**2 / 2 * (1 - mp.exp(-(((output - target) / scale) ** 2)))


def barron(output, target, shape, scale):
    squared = ((output - target) / scale) ** 2
    if shape == 2:
        return squared / 2
    if abs(shape) < mp.mpf("1e-60"):  # the limit, to all the digits of a float
        return mp.log(squared / 2 + 1)
    distance = abs(shape - 2)
    return distance / shape * ((squared / distance + 1) ** (shape / 2) - 1)
