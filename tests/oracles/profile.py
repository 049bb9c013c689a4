"""Profile losses from their textbook formulas: two rows of numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp


def cosine(output, target):
    product, lengths = _dot(output, target), (mp.sqrt(_dot(output, output)), mp.sqrt(_dot(target, target)))
    if 0 in lengths:  # by convention: two zero rows are equal, one zero row is orthogonal to every other
        return mp.mpf(lengths[0] != lengths[1])
    return 1 - product / (lengths[0] * lengths[1])


def pearson(output, target):
    return cosine(_centred(output), _centred(target))


def cosine_proximity(output, target):
    return cosine(output, target) - 1


def spectral_angle(output, target):
    return mp.acos(min(mp.mpf(1), max(mp.mpf(-1), 1 - cosine(output, target))))


def concordance(output, target):
    size, (x, y) = len(output), (_centred(output), _centred(target))
    scatter = (_dot(x, x) + _dot(y, y)) / size + (mp.fsum(output) - mp.fsum(target)) ** 2 / mp.mpf(size) ** 2
    return mp.mpf(0) if scatter == 0 else 1 - 2 * _dot(x, y) / size / scatter


def _dot(a, b):
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def _centred(row):
    mean = mp.fsum(row) / len(row)
    return [value - mean for value in row]


cosine_slope_at_zero = cosine_proximity_slope_at_zero = pearson_slope_at_zero = 1  # by convention
spectral_angle_slope_at_zero = 2
