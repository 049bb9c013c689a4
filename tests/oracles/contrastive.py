"""Two-view losses from their papers: tables of any precision in, a number for each row out."""

from __future__ import annotations

import mpmath as mp
import torch


def info_nce(a, b, temperature):
    return [_cost(i, i, [_cos(row, other) / temperature for other in b], None) for i, row in enumerate(a)]


def info_nce_best():
    return {"a": torch.ones(1, 2).double(), "b": torch.ones(1, 2).double()}


def nt_xent(a, b, temperature):
    return _both_directions(a, b, temperature, lambda i, j: {i})


nt_xent_best = info_nce_best


def decoupled_contrastive(a, b, temperature):
    return _both_directions(a, b, temperature, lambda i, j: {i, j})


def _both_directions(a, b, temperature, left_out):
    rows, size = [*a, *b], len(a)
    costs = []
    for i, row in enumerate(rows):
        partner = (i + size) % (2 * size)
        similar = [_cos(row, other) / temperature for other in rows]
        costs.append(_cost(i, partner, similar, left_out(i, partner)))
    return [(costs[i] + costs[i + size]) / 2 for i in range(size)]


def _cost(i, partner, similar, left_out):
    rest = [value for k, value in enumerate(similar) if not left_out or k not in left_out]
    return mp.log(mp.fsum(mp.exp(value) for value in rest)) - similar[partner]


def negative_cosine(a, b):
    return -_cos(a, b)


def negative_cosine_best():
    return {"a": torch.ones(2, 3).double(), "b": 5.0 * torch.ones(2, 3).double()}


def alignment(a, b, alpha):
    apart = [x / _norm(a) - y / _norm(b) for x, y in zip(a, b, strict=True)]
    return _norm(apart) ** alpha


alignment_best = negative_cosine_best


def _cos(a, b):
    return mp.fsum(x * y for x, y in zip(a, b, strict=True)) / (_norm(a) * _norm(b))


def _norm(row):
    return mp.sqrt(mp.fsum(value**2 for value in row))
