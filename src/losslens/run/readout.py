"""The linear read-out of a code: what a linear map can tell of a profile from it, fitted in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from losslens.models.backbones import Encoder
from losslens.run.batches import Rows, chunks

PENALTIES = (1e-6, 1e-4, 1e-2, 1.0)  # beside a code's mean variance, for each training row


@torch.no_grad()
def fit_reader(encoder: Encoder, rows: Rows, train: Tensor, valid: Tensor) -> None:
    r"""Set the reader by ridge regression on the training rows, the penalty that suits the validation rows best.

    .. math:: W = \arg\min_W \sum_i \|W (c_i - \bar c) - (x_i - \bar x)\|^2 + \lambda \|W\|^2
    """
    encoder.eval()
    codes, profiles = _sums(encoder, rows, train)
    gram, cross = codes
    center, mean = profiles
    spread = float(gram.diagonal().mean().clamp_min(1e-30))
    own = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    maps = [torch.linalg.solve(gram + penalty * spread * own, cross).T for penalty in PENALTIES]
    errors = [_error(encoder, rows, valid, lambda code, w=w: (code - center) @ w.T + mean) for w in maps]
    weight = maps[min(range(len(maps)), key=lambda place: errors[place])]
    encoder.reader.weight.copy_(weight)
    encoder.reader.bias.copy_(mean - weight @ center)


def _sums(encoder: Encoder, rows: Rows, train: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Second moments of codes and of codes with profiles around their means, and the means; in float64."""
    parts = chunks(train)
    center = sum(encoder.encode(rows(part).profiles).double().sum(0) for part in parts) / len(train)
    mean = sum(rows(part).profiles.double().sum(0) for part in parts) / len(train)
    gram, cross = center.new_zeros(len(center), len(center)), center.new_zeros(len(center), len(mean))
    for part in parts:
        profiles = rows(part).profiles
        code = encoder.encode(profiles).double() - center
        gram += code.T @ code
        cross += code.T @ (profiles.double() - mean)
    return (gram, cross), (center, mean)


def _error(encoder: Encoder, rows: Rows, valid: Tensor, read: Callable[[Tensor], Tensor]) -> float:
    total = 0.0
    for part in chunks(valid):
        profiles = rows(part).profiles
        total += float((read(encoder.encode(profiles).double()) - profiles).square().sum())
    return total
