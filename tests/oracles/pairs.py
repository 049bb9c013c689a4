"""Losses of pairs from their textbook formulas: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp
import torch
from tests.oracles.profile import cosine


def margin_ranking(x1, x2, y, margin):
    return max(mp.mpf(0), -y * (x1 - x2) + margin)


def margin_ranking_best():
    return {"x1": torch.tensor([[9.0]]).double(), "x2": torch.zeros(1, 1).double(), "y": torch.ones(1, 1).double()}


def hinge_embedding(x, y, margin):
    return x if y == 1 else max(mp.mpf(0), margin - x)


def cosine_embedding(x1, x2, y, margin):
    apart = cosine(x1, x2)
    return apart if y == 1 else max(mp.mpf(0), 1 - apart - margin)


def cosine_embedding_best():
    return {
        "x1": torch.ones(2, 3).double(),
        "x2": torch.tensor([[2.0], [-1.0]]).double() * torch.ones(2, 3).double(),
    } | {"y": torch.tensor([1.0, -1.0]).double()}


def contrastive(x1, x2, y, margin):
    squared = mp.fsum((a - b) ** 2 for a, b in zip(x1, x2, strict=True))
    return squared / 2 if y == 1 else max(mp.mpf(0), margin - mp.sqrt(squared)) ** 2 / 2


def contrastive_best():
    x1 = torch.ones(2, 3).double()
    return {"x1": x1, "x2": torch.tensor([[1.0], [99.0]]).double() * x1, "y": torch.tensor([1.0, -1.0]).double()}


def contrastive_arguments(generator, rows):
    """Near enough for the margin to matter, with signs of both kinds."""
    x1, x2 = (0.2 * torch.randn(rows, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    return {"x1": x1, "x2": x2, "y": torch.tensor([-1.0, 1.0] * rows)[:rows].double()}
