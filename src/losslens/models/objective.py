"""An objective: a loss, its output activation and, for losses blind to scale, a head that learns the magnitude."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from losslens.activations import ACTIVATIONS
from losslens.losses.criterion import Criterion
from losslens.losses.expectation import expected_log1p
from losslens.models.autoencoders import Outputs
from losslens.models.spec import ObjectiveSpec
from losslens.vocabulary.quantities import Domain


class Batch(NamedTuple):
    """Profiles in the working space and, for count data, the counts behind them.

    ``library`` (batch, 1) is the sum of a row's counts, ``scale`` (batch, 1) what they were multiplied by
    before the logarithm.
    """

    profiles: Tensor
    counts: Tensor | None = None
    library: Tensor | None = None
    scale: Tensor | None = None

    def to(self, device: str) -> Batch:
        """The same batch on a device."""
        moved = [None if part is None else part.to(device) for part in self]
        assert moved[0] is not None
        return Batch(moved[0], *moved[1:])


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


class Objective(nn.Module):
    """What is minimised, and how the network's raw output is read as a reconstruction."""

    def __init__(self, spec: ObjectiveSpec, features: int, code: int) -> None:
        super().__init__()
        self.spec = spec
        options: dict[str, Any] = spec.options
        self.criterion = Criterion(spec.loss, features=features, **options)
        entry = self.criterion.entry
        self.on_counts = entry.domain is Domain.COUNTS
        self.head = MagnitudeHead(code, entry.shift_invariant) if entry.scale_invariant else None

    def own_loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """The loss under comparison, a scalar: what early stopping and the choice of learning rate go by."""
        return self.criterion.mean(self._linked(outputs.output, batch), self._target(batch))

    def forward(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        """The scalar to differentiate, and the part of it that is the loss under comparison."""
        own = self.own_loss(outputs, batch)
        total = own if self.head is None else own + self.head.loss(outputs.code, batch.profiles)
        return total, own

    def reconstruct(self, outputs: Outputs, batch: Batch) -> Tensor:
        """The reconstruction in the working space, (batch, features)."""
        linked = self._linked(outputs.output, batch)
        if self.head is not None:
            return self.head.apply_to(linked, outputs.code)
        if self.on_counts and batch.scale is not None:
            return self._expected_log(linked, batch.scale)
        prediction = self.criterion.entry.prediction
        return linked if prediction is None else prediction(linked, **self.criterion.settings())

    def nats(self, outputs: Outputs, batch: Batch) -> Tensor | None:
        """Negative log-likelihood of each profile in nats, (batch,), or None if the loss is no likelihood."""
        if not self.criterion.entry.is_likelihood:
            return None
        nats = self.criterion.values(self._linked(outputs.output, batch), self._target(batch))
        return nats if nats.dim() == 1 else nats.sum(1)

    def raw_mean(self, mean: Tensor) -> Tensor:
        """The raw output whose reconstruction is ``mean`` (of profiles, or of counts for a count loss)."""
        if self.spec.link == "softmax":
            share = mean.clamp_min(1e-6 * float(mean.mean().clamp_min(1e-12)))
            return (share / share.sum()).log()
        if self.spec.link == "log":
            return mean.clamp_min(1e-12).log()
        link = ACTIVATIONS["sigmoid" if self.spec.link == "logits" else self.spec.link]
        return mean if link.inverse is None else link.inverse(mean)

    @torch.no_grad()
    def start(self, batch: Batch, errors: Tensor) -> None:
        """Set what does not depend on the network from training rows and the errors of a first reconstruction."""
        if self.head is not None:
            self.head.start(batch.profiles)
        for name in self.criterion.logs:
            if (
                name == "scale" and self.spec.link == "linear"
            ):  # its best constant for these errors: small steps could not bring it there in time
                squared = self.criterion.entry.elicits == "mean"
                spread = errors.square().mean().sqrt() if squared else errors.abs().mean()
                self.criterion.logs[name].fill_(float(spread.clamp_min(1e-3).log()))

    def _target(self, batch: Batch) -> Tensor:
        if not self.on_counts:
            return batch.profiles
        assert batch.counts is not None
        return batch.counts

    def _linked(self, output: Tensor, batch: Batch) -> Tensor:
        if self.spec.link == "softmax":
            assert batch.library is not None
            return torch.softmax(output, 1) * batch.library
        return output if self.spec.link in ("logits", "linear", "log") else ACTIVATIONS[self.spec.link].function(output)

    def _expected_log(self, mean: Tensor, scale: Tensor) -> Tensor:
        log_laplace = self.criterion.entry.log_laplace
        assert log_laplace is not None
        settings = self.criterion.settings()
        largest = float((mean.amax(1, keepdim=True) * scale).max())
        return expected_log1p(lambda s: log_laplace(mean, s, **settings), scale, largest)
