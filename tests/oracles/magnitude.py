"""Distances between profiles from their textbook formulas: two rows of numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp
from tests.oracles.profile import cosine


def cosine_plus_mse(output, target, magnitude):
    squares = [(o - t) ** 2 for o, t in zip(output, target, strict=True)]
    return cosine(output, target) + magnitude * mp.fsum(squares) / len(squares)


def cosine_plus_magnitude(output, target, magnitude):
    one, other = _norm(output), _norm(target)
    return cosine(output, target) + magnitude * (one / other - 1 if other else one) ** 2


def euclidean(output, target):
    return _norm([o - t for o, t in zip(output, target, strict=True)])


def relative_norm(output, target):
    return euclidean(output, target) / (_norm(target) or 1)


def _norm(row):
    return mp.sqrt(mp.fsum(value**2 for value in row))
