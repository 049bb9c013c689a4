"""What a trained model says of how the held-out data arise: bounds over all codes, expected zeros and variances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from losslens.losses.family import LossEntry
from losslens.measure.evidence import Doubles, Posterior, Spread
from losslens.models.autoencoders import Autoencoder, Outputs, standard_normal
from losslens.models.objective import Batch, Objective
from losslens.run.batches import Rows
from losslens.vocabulary.quantities import Domain

SAMPLES = 64


def posterior(model: Autoencoder, objective: Objective, rows: Rows, parts: Sequence[Tensor], seed: int) -> Posterior:
    """The importance-weighted bound of each row, and the effective weight of the divergence."""
    noise = torch.Generator().manual_seed(seed)
    weight = kl_weight(model, objective, rows, parts, noise)
    if not objective.criterion.entry.is_likelihood or objective.criterion.entry.family.gives == "sample":
        return Posterior(None, weight)
    bounds = [importance_weighted_nats(model, objective, rows(part), SAMPLES, noise) for part in parts]
    return Posterior(torch.cat(bounds).double().cpu().numpy(), weight)


def kl_weight(
    model: Autoencoder, objective: Objective, rows: Rows, parts: Sequence[Tensor], noise: torch.Generator
) -> float | None:
    r"""What a nat of divergence weighs beside half the squared error, or beside a nat for data not real numbers.

    .. math:: \beta / c, \qquad c = \frac{\sum g\,e}{\sum e^2}, \qquad e = \hat x - x

    with g the gradient of a profile's loss, summed over features: along the errors that are left, the loss pulls like c
    times half the squared error. Exact for mse (c = 2) and for normal densities (c = one over the variance). None
    without a divergence, and for losses that do not pull towards the data's scale.
    """
    entry, weight = objective.criterion.entry, objective.divergence
    if weight is None or (entry.is_likelihood and entry.domain is not Domain.REAL):
        return weight
    sums = [_pull(objective, model, rows(part), noise) for part in parts]
    along, squared = (math.fsum(each) for each in zip(*sums, strict=True))
    return None if entry.scale_invariant or along <= 0.0 else weight * squared / along


def _pull(objective: Objective, model: Autoencoder, batch: Batch, noise: torch.Generator) -> tuple[float, float]:
    """The gradient of the reconstruction along the errors, and the squared error, both summed over a batch."""
    with torch.no_grad():
        output = objective.linked(model(batch.inputs, noise).output, batch)
    output, entry = output.requires_grad_(), objective.criterion.entry
    loss = entry.family.mean(objective.criterion.values(output, objective.target(batch)), None)
    (slope,) = torch.autograd.grad(loss * (len(output) / objective.per_term), output)
    error = (output.detach() - objective.target(batch)).double()
    return float((slope * error).sum()), float(error.square().sum())


@torch.no_grad()
def importance_weighted_nats(
    model: Autoencoder, objective: Objective, batch: Batch, samples: int, noise: torch.Generator
) -> Tensor:
    r"""The negative importance-weighted bound of each profile, (batch,).

    .. math:: -\log \frac1K \sum_k \frac{p(x \mid z_k)\, p(z_k)}{q(z_k \mid x)}, \qquad z_k \sim q(z \mid x)

    With one sample its mean is the negative evidence lower bound; it falls towards the negative log-likelihood as
    samples grow (Burda, Grosse and Salakhutdinov, ICLR 2016).
    """
    mean, log_variance = model.posterior(batch.inputs)
    assert log_variance is not None
    logs = []
    for _ in range(samples):
        standard = standard_normal(mean, noise)
        code = mean + standard * (log_variance / 2.0).exp()
        nats = objective.nats(Outputs(code, model.decode(code)), batch)
        assert nats is not None
        logs.append((standard.square() + log_variance - code.square()).sum(1) / 2.0 - nats)
    return math.log(samples) - torch.logsumexp(torch.stack(logs), 0)


def spread(model: Autoencoder, objective: Objective, rows: Rows, parts: Sequence[Tensor], seed: int) -> Spread | None:
    """Zeros and variances that a model of counts expects, beside those seen; None for other data."""
    if not objective.on_counts:
        return None
    noise = torch.Generator().manual_seed(seed)
    each = [_told(model, objective, rows(part), noise) for part in parts]
    seen, expected = (_joined(kind, [len(part) for part in parts]) for kind in zip(*each, strict=True))
    return Spread(
        zeros_seen=seen.zeros,
        zeros_expected=expected.zeros,
        row_zeros_seen=seen.row_zeros,
        row_zeros_expected=expected.row_zeros,
        variance_seen=seen.variance,
        variance_expected=expected.variance,
        mean_seen=seen.mean,
    )


class _Counts(NamedTuple):
    """Counts as seen or expected: share of zeros, mean and variance over rows of each feature; zeros of each row."""

    zeros: Doubles
    mean: Doubles
    variance: Doubles
    row_zeros: Doubles

    @classmethod
    def of(cls, zeros: Tensor, mean: Tensor, variance: Tensor) -> _Counts:
        """From probabilities of zero, means and variances of each entry, (rows, features)."""
        zeros, mean, within = zeros.double(), mean.double(), variance.double().mean(0)
        found = (zeros.mean(0), mean.mean(0), within + mean.var(0, correction=0), zeros.mean(1))
        return cls(*(part.cpu().numpy() for part in found))


def _told(model: Autoencoder, objective: Objective, batch: Batch, noise: torch.Generator) -> tuple[_Counts, _Counts]:
    """What was seen in a batch, and what the model expects of it."""
    entry, settings = objective.criterion.entry, objective.criterion.settings()
    with torch.no_grad():
        output, counts = objective.linked(model(batch.inputs, noise).output, batch), objective.target(batch)
        zeros = (-entry.element(output, torch.zeros_like(output), **settings)).exp()
    seen = _Counts.of(counts == 0, counts, torch.zeros_like(counts))
    return seen, _Counts.of(zeros, *moments(entry, output, settings))


def _joined(parts: Sequence[_Counts], sizes: Sequence[int]) -> _Counts:
    """All parts as one; their means differ, which adds to the variance."""
    zeros, means, variances = (np.stack(each) for each in list(zip(*parts, strict=True))[:3])
    grand = np.average(means, axis=0, weights=sizes)
    variance = np.average(variances + (means - grand) ** 2, axis=0, weights=sizes)
    return _Counts(
        np.average(zeros, axis=0, weights=sizes), grand, variance, np.concatenate([part.row_zeros for part in parts])
    )


def moments(entry: LossEntry, mean: Tensor, settings: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and variance of each count, from the derivatives at zero of the logarithm of its Laplace transform.

    >>> from losslens.losses import LOSSES
    >>> theta = {"inverse_dispersion": torch.tensor(2.0)}
    >>> [float(part) for part in moments(LOSSES["negative_binomial"], torch.tensor([[4.0]]), theta)]
    [4.0, 12.0]
    """
    assert entry.log_laplace is not None
    wide = mean.detach().double()
    at = torch.zeros_like(wide, requires_grad=True)
    fixed = {name: value.detach().double() for name, value in settings.items()}
    with torch.enable_grad():
        logs = entry.log_laplace(wide, at, **fixed)
        (first,) = torch.autograd.grad(logs.sum(), at, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), at)
    return -first.detach(), second
