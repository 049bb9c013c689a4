"""Negative log-likelihoods from the textbook densities: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp


def gaussian(output, target, scale):
    return -mp.log(mp.npdf(target, output, scale))


def laplace(output, target, scale):
    return -mp.log(mp.exp(-abs(target - output) / scale) / (2 * scale))


def student_t(output, target, degrees_of_freedom, scale):
    nu, z = degrees_of_freedom, (target - output) / scale
    logs = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2)
    return -logs + mp.log(mp.sqrt(nu * mp.pi) * scale) + (nu + 1) / 2 * mp.log(1 + z**2 / nu)


def log_normal(output, target, scale):
    return -mp.log(mp.npdf(mp.log(target), output, scale) / target)


def calibrated_gaussian(output, target):
    """Of the whole batch: the normal density at the variance that fits it, with the documented floor."""
    errors = [[t - o for o, t in zip(*rows, strict=True)] for rows in zip(output, target, strict=True)]
    squares = [error**2 for row in errors for error in row]
    scale = mp.sqrt(mp.fsum(squares) / len(squares) + mp.exp(-12))
    return [-mp.fsum(mp.log(mp.npdf(error, 0, scale)) for error in row) for row in errors]


def beta_nll(output, target, beta, scale):
    return -(scale ** (2 * beta)) * mp.log(mp.npdf(target, output, scale))
