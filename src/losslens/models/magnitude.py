"""The magnitude of a profile, for losses that are blind to it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class MagnitudeHead(nn.Module):
    """Predicts the logarithm of a row's norm (and its mean, for losses blind to shifts) from the code.

    It learns from the code without teaching it: the gradient stops there, so that the loss under comparison
    alone shapes the code. Log-norms stay within those of the training rows.
    """

    reach: Tensor

    def __init__(self, code: int, centred: bool, width: int = 32) -> None:
        super().__init__()
        self.centred = centred
        self.net = nn.Sequential(nn.Linear(code + 1, width), nn.ReLU(), nn.Linear(width, 2))
        self.register_buffer("reach", torch.tensor([-math.inf, math.inf]))

    def loss(self, code: Tensor, profiles: Tensor) -> Tensor:
        """Squared error of log-norm and row mean; rows without a norm are left out."""
        mean, norm = self.moments(profiles)
        seen = (norm > 0).squeeze(1)
        error = self.net(self.inputs(code.detach())) - torch.cat([norm.clamp_min(1e-12).log(), mean], 1)
        squared: Tensor = error[seen].square().sum()
        return squared / max(len(profiles), 1)

    def apply_to(self, output: Tensor, code: Tensor) -> Tensor:
        """The output's direction, at the predicted magnitude and mean."""
        log_norm, level = self.net(self.inputs(code)).split(1, 1)
        log_norm = log_norm.clamp(self.reach[0], self.reach[1])  # an exponential must not extrapolate
        mean, norm = self.moments(output)
        direction: Tensor = (output - mean) / norm.clamp_min(1e-12)
        scaled: Tensor = direction * log_norm.exp()
        return scaled + level if self.centred else scaled

    @staticmethod
    def inputs(code: Tensor) -> Tensor:
        """The code's direction and the logarithm of its norm: a profile twice as long need not be extrapolated."""
        size = code.norm(dim=1, keepdim=True).clamp_min(1e-6)
        return torch.cat([code / size, size.log()], 1)

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The level that the loss is blind to (or zero) and the norm of what is left, each (batch, 1)."""
        mean = rows.mean(1, keepdim=True) if self.centred else rows.new_zeros(len(rows), 1)
        return mean, (rows - mean).norm(dim=1, keepdim=True)

    @torch.no_grad()
    def start(self, profiles: Tensor) -> None:
        """Begin at the mean log-norm and mean level of some training rows."""
        mean, norm = self.moments(profiles)
        last = self.net[-1]
        assert isinstance(last, nn.Linear)
        logs = norm.clamp_min(1e-12).log()
        last.bias.copy_(torch.stack([logs.mean(), mean.mean()]))
        self.reach.copy_(torch.stack([logs.min(), logs.max()]))
