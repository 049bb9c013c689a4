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


def cosine_plus_mse(output, target, magnitude):
    squares = [(o - t) ** 2 for o, t in zip(output, target, strict=True)]
    return cosine(output, target) + magnitude * mp.fsum(squares) / len(squares)


def _dot(a, b):
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def _centred(row):
    mean = mp.fsum(row) / len(row)
    return [value - mean for value in row]
