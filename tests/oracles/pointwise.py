"""Pointwise losses from their textbook formulas: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp


def mse(output, target):
    return (output - target) ** 2


def mae(output, target):
    return abs(output - target)


def smooth_l1(output, target, beta):
    error = abs(output - target)
    return error**2 / (2 * beta) if error < beta else error - beta / 2


def huber(output, target, delta):
    error = abs(output - target)
    return error**2 / 2 if error <= delta else delta * error - delta**2 / 2


def log_cosh(output, target):
    return mp.log(mp.cosh(output - target))


def l1_plus_l2(output, target, mix):
    return mix * abs(output - target) + (1 - mix) * (output - target) ** 2


def lp(output, target, p):
    return abs(output - target) ** p


def lp_slope(output, target, p):
    """The gradient given: that of the power, but of a parabola for errors below 0.001 where p < 1."""
    error = output - target
    if p < 1 and abs(error) < 1e-3:
        return p * 1e-3 ** (p - 2) * error
    return p * abs(error) ** (p - 1) * (1 if error > 0 else -1) if error else 0.0
