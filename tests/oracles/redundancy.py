"""Two-view losses by batch, from their papers: tables of any precision in, one number out."""

from __future__ import annotations

from itertools import combinations

import mpmath as mp
import torch


def barlow_twins(a, b, off_diagonal):
    ours, theirs = ([_standard(column) for column in zip(*rows, strict=True)] for rows in (a, b))
    total = mp.mpf(0)
    for f, one in enumerate(ours):
        for g, other in enumerate(theirs):
            correlation = _mean([x * y for x, y in zip(one, other, strict=True)])
            total += (1 - correlation) ** 2 if f == g else off_diagonal * correlation**2
    return total


def barlow_twins_best():
    rows = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]).double()
    return {"a": rows, "b": 3.0 * rows + 1.0}


def vicreg(a, b, invariance, variance, covariance):
    errors = [(x - y) ** 2 for row, other in zip(a, b, strict=True) for x, y in zip(row, other, strict=True)]
    total = invariance * _mean(errors)
    for rows in (a, b):
        columns = [_centred(column) for column in zip(*rows, strict=True)]
        narrow = [max(mp.mpf(0), 1 - mp.sqrt(_covariance(c, c) + mp.mpf(1e-4))) for c in columns]
        pairs = [_covariance(one, other) ** 2 for one, other in combinations(columns, 2)]
        total += variance / 2 * _mean(narrow) + covariance * 2 * mp.fsum(pairs) / len(columns)
    return total


def vicreg_best():
    rows = torch.tensor([[2.0, 2.0], [2.0, -2.0], [-2.0, 2.0], [-2.0, -2.0]]).double()
    return {"a": rows, "b": rows.clone()}


def uniformity(code, t):
    units = [[value / mp.sqrt(mp.fsum(v**2 for v in row)) for value in row] for row in code]
    apart = [mp.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)) for a, b in combinations(units, 2)]
    return mp.log(_mean([mp.exp(-t * squared) for squared in apart]))


def _standard(column):
    centred = _centred(column)
    deviation = mp.sqrt(_mean([value**2 for value in centred]))
    return [value / deviation for value in centred]


def _centred(column):
    return [value - _mean(column) for value in column]


def _covariance(one, other):
    return mp.fsum(x * y for x, y in zip(one, other, strict=True)) / (len(one) - 1)


def _mean(numbers):
    return mp.fsum(numbers) / len(numbers)
