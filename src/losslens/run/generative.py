"""What a trained model says of how the held-out data arise: bounds over all codes, expected zeros and variances."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from losslens.losses.family import LossEntry
from losslens.measure.evidence import Posterior, Spread
from losslens.models.autoencoders import Autoencoder, Outputs, drawn
from losslens.models.objective import Batch, Objective

Rows = Callable[[Tensor], Batch]
SAMPLES = 64


@torch.no_grad()
def posterior(model: Autoencoder, objective: Objective, rows: Rows, parts: Sequence[Tensor], seed: int) -> Posterior:
    """The importance-weighted bound of each row, and the weight of the divergence."""
    weight = objective.effective_kl_weight()
    if not objective.criterion.entry.is_likelihood or objective.criterion.entry.family.gives == "sample":
        return Posterior(None, weight)
    noise = torch.Generator().manual_seed(seed)
    bounds = [importance_weighted_nats(model, objective, rows(part), SAMPLES, noise) for part in parts]
    return Posterior(torch.cat(bounds).double().cpu().numpy(), weight)


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
        code = drawn(mean, log_variance, noise)
        nats = objective.nats(Outputs(code, model.decode(code)), batch)
        assert nats is not None
        standard = (code - mean) / (log_variance / 2.0).exp()
        prior = -code.square().sum(1) / 2.0
        own = -(standard.square() + log_variance).sum(1) / 2.0  # both without the same constant
        logs.append(prior - own - nats)
    return math.log(samples) - torch.logsumexp(torch.stack(logs), 0)


def spread(model: Autoencoder, objective: Objective, rows: Rows, parts: Sequence[Tensor], seed: int) -> Spread | None:
    """Zeros and variances that a model of counts expects, beside those seen; None for other data."""
    if not objective.on_counts:
        return None
    noise = torch.Generator().manual_seed(seed)
    found: list[tuple[Tensor, ...]] = []
    for part in parts:
        batch = rows(part)
        assert batch.counts is not None
        with torch.no_grad():
            mean = objective.expected(model(batch.inputs, noise).output, batch)
        entry, settings = objective.criterion.entry, objective.criterion.settings()
        expected, variance = moments(entry, mean, settings)
        zeros = (-entry.element(mean, torch.zeros_like(mean), **settings)).exp().detach()
        found.append((batch.counts, expected, variance, zeros))
    counts, mean, within, nothing = (torch.cat(each).double().cpu() for each in zip(*found, strict=True))
    absent = (counts == 0).double()
    return Spread(
        zeros_seen=absent.mean(0).numpy(),
        zeros_expected=nothing.mean(0).numpy(),
        row_zeros_seen=absent.mean(1).numpy(),
        row_zeros_expected=nothing.mean(1).numpy(),
        variance_seen=counts.var(0).numpy(),
        variance_expected=(mean.var(0) + within.mean(0)).numpy(),
        mean_seen=counts.mean(0).numpy(),
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
