"""Losses of triplets from their textbook formulas: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp
import torch

RAISED = mp.mpf(1e-6)  # added to each difference, as PyTorch does


def triplet_margin(anchor, positive, negative, margin, p, swap):
    near, far = _distance(anchor, positive, p), _distance(anchor, negative, p)
    if swap:
        far = min(far, _distance(positive, negative, p))
    return max(mp.mpf(0), near - far + margin)


def triplet_margin_best():
    anchor = torch.zeros(1, 2).double()
    return {"anchor": anchor, "positive": anchor.clone(), "negative": anchor + 99.0}


def _distance(one, other, p):
    return mp.fsum(abs(a - b + RAISED) ** p for a, b in zip(one, other, strict=True)) ** (1 / p)


def triplet_margin_arguments(generator, rows):
    """Near enough for the margin to matter."""
    drawn = (0.2 * torch.randn(rows, 5, generator=generator, dtype=torch.float64) for _ in range(3))
    return dict(zip(("anchor", "positive", "negative"), drawn, strict=True))
