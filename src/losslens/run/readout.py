"""The linear read-out of a code: what a linear map can tell of a profile from it, fitted in closed form."""

from __future__ import annotations

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
    weight = min(maps, key=lambda each: _error(encoder, rows, valid, each, mean - each @ center))
    encoder.reader.weight.copy_(weight)
    encoder.reader.bias.copy_(mean - weight @ center)


def _sums(encoder: Encoder, rows: Rows, train: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Second moments of codes and of codes with profiles around their means, and the means; in float64, in one pass."""
    gram, cross, center, mean = (torch.zeros((), dtype=torch.float64, device=encoder.center.device) for _ in range(4))
    for part in chunks(train):
        profiles = rows(part).profiles
        code, target = encoder.encode(profiles).double(), profiles.double()
        gram, cross = gram + code.T @ code, cross + code.T @ target
        center, mean = center + code.sum(0) / len(train), mean + target.sum(0) / len(train)
    around = len(train) * center.unsqueeze(1)
    return (gram - around * center, cross - around * mean), (center, mean)


def _error(encoder: Encoder, rows: Rows, valid: Tensor, weight: Tensor, bias: Tensor) -> float:
    total = 0.0
    for part in chunks(valid):
        profiles = rows(part).profiles
        total += float((encoder.encode(profiles).double() @ weight.T + bias - profiles).square().sum())
    return total
