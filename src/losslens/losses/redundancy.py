"""Two-view losses without negatives: agreement plus something that keeps codes from collapsing."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from losslens.losses import sweeps
from losslens.losses.family import Argument, Family, loss, mean_of_values
from losslens.losses.profile import divided, unit
from losslens.losses.special import sloped
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Range

TWO_BATCHES = Family(
    "two views, by batch",
    "batch",
    (Argument("a", "batch features"), Argument("b", "batch features")),
    mean_of_values,
    sweeps=sweeps.two_batches,
)
ONE_BATCH = Family(
    "one view, by batch", "batch", (Argument("code", "batch units"),), mean_of_values, sweeps=sweeps.one_batch
)
Weight = Annotated[float, Range(0.0, 100.0)]


def _at_least_two(rows: Tensor) -> None:
    if len(rows) < 2:
        raise BadInput(expected="a batch of at least two samples", found=str(len(rows)), remedy="It measures spread.")


@loss(
    TWO_BATCHES,
    units="1 (dimensionless)",
    minimum=0.0,
    independent=False,
    convex=False,
    reference="Zbontar, Jing, Misra, LeCun and Deny, ICML 2021",
    use="For two views without negatives, when features are not to repeat each other.",
    failure="Correlations over small batches are noisy, and the sizes of features are left free.",
    torch_line="lambda a, b: (lambda c: ((1 - c.diagonal())**2).sum() + {off_diagonal:g}"
    " * (c - c.diagonal().diag()).square().sum())(((a - a.mean(0)) / a.std(0, correction=0)).T"
    " @ ((b - b.mean(0)) / b.std(0, correction=0)) / len(a))",
)
def barlow_twins(a: Tensor, b: Tensor, *, off_diagonal: Annotated[float, Range(0.0, 1.0)] = 5e-3) -> Tensor:
    r"""Each feature agrees between the views and is uncorrelated with every other.

    .. math:: \sum_f (1 - C_{ff})^2 + \lambda \sum_{f \ne g} C_{fg}^2

    Shapes: (batch, features) twice -> (). C is the correlation over the batch of features of one view with those of the
    other. A feature that is constant over the batch correlates with nothing and costs 1. Raises BadInput on a batch
    of one.

    >>> x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> losslens.barlow_twins(x, x)
    tensor(0.)
    """
    _at_least_two(a)
    correlation = _standardised(a).T @ _standardised(b)
    own = torch.eye(a.shape[1], dtype=torch.bool, device=a.device)
    return torch.where(own, (1.0 - correlation).square(), off_diagonal * correlation.square()).sum()


def _standardised(rows: Tensor) -> Tensor:
    """Columns without their mean, of norm one over the batch; what is left of a constant column counts as zero."""
    largest = rows.detach().abs().amax(0, keepdim=True)
    scaled = divided(rows, torch.where(largest == 0.0, 1.0, largest))
    centred = scaled - scaled.mean(0, keepdim=True)
    constant = centred.detach().abs().amax(0) <= 16 * torch.finfo(rows.dtype).eps
    return unit(torch.where(constant, sloped(torch.zeros_like(centred), centred), centred).T).T


@loss(
    TWO_BATCHES,
    units="mixed: data units squared and standard deviations",
    minimum=0.0,
    independent=False,
    smoothness="C0",
    convex=False,
    reference="Bardes, Ponce and LeCun, ICLR 2022",
    use="For two views without negatives, also where two different networks see them.",
    failure="Three weights must be balanced, and variances over small batches are noisy.",
    torch_line="lambda a, b: {invariance:g} * torch.nn.functional.mse_loss(a, b) + sum("
    "{variance:g} / 2 * (1 - (z.var(0) + 1e-4).sqrt()).clamp_min(0).mean()"
    " + {covariance:g} / z.shape[1] * (z.T.cov() - z.var(0).diag()).square().sum() for z in (a, b))",
)
def vicreg(
    a: Tensor, b: Tensor, *, invariance: Weight = 25.0, variance: Weight = 25.0, covariance: Weight = 1.0
) -> Tensor:
    r"""The views agree, every feature keeps a standard deviation of one, and features do not repeat each other.

    .. math:: \lambda\,\mathrm{mean}(a - b)^2 + \sum_{z \in \{a, b\}} \left[\frac{\mu}{2}\,\mathrm{mean}_f \max\bigl(0,
              1 - \sqrt{\mathrm{var}_f z + 10^{-4}}\bigr) + \frac{\nu}{d} \sum_{f \ne g} \mathrm{cov}_{fg}(z)^2\right]

    Shapes: (batch, features) twice -> (). The variance term is the mean over both views, as in the authors' code; the
    paper's formula and some libraries take the sum, which is twice as large. Raises BadInput on a batch of one.

    >>> x = torch.tensor([[2.0, 2.0], [2.0, -2.0], [-2.0, 2.0], [-2.0, -2.0]])
    >>> losslens.vicreg(x, x)
    tensor(0.)
    """
    _at_least_two(a)
    total = a.sum() * 0.0
    # A term of weight zero is left out: it may be out of range, and nothing times infinity is not nothing.
    if invariance:
        total = total + invariance * (a - b).square().mean()
    if variance:
        total = total + variance / 2.0 * (_narrow(a) + _narrow(b))
    if covariance:
        total = total + covariance * (_repeated(a) + _repeated(b))
    return total


def _narrow(rows: Tensor) -> Tensor:
    return (1.0 - (rows.var(0) + 1e-4).sqrt()).clamp_min(0.0).mean()


def _repeated(rows: Tensor) -> Tensor:
    """Squared covariances between different features, over the number of features."""
    centred = rows - rows.mean(0, keepdim=True)
    covariance = centred.T @ centred / (len(rows) - 1)
    own = torch.eye(rows.shape[1], dtype=torch.bool, device=rows.device)
    return covariance.masked_fill(own, 0.0).square().sum() / rows.shape[1]


@loss(
    ONE_BATCH,
    units="nats",
    minimum=None,
    scale_invariant=True,
    independent=False,
    convex=False,
    reference="Wang and Isola, ICML 2020",
    use="Beside alignment, to keep the directions of codes spread over the sphere.",
    failure="Alone it scatters what belongs together, and rows far from all others hardly count.",
    torch_line="lambda code: torch.nn.functional.pdist(torch.nn.functional.normalize(code))"
    ".square().mul(-{t:g}).exp().mean().log()",
)
def uniformity(code: Tensor, *, t: Annotated[float, Range(0.5, 10.0, log=True)] = 2.0) -> Tensor:
    r"""How evenly directions cover the unit sphere: zero where all agree, the lower the more even.

    .. math:: \log \mathrm{mean}_{i<j}\, e^{-t \|u_i - u_j\|^2}

    Shapes: (batch, units) -> (). For two views take the mean of both. Raises BadInput on a batch of one.

    >>> losslens.uniformity(torch.tensor([[1.0, 0.0], [-3.0, 0.0]]), t=2.0)
    tensor(-8.)
    """
    _at_least_two(code)
    rows = unit(code)
    one, other = torch.triu_indices(len(rows), len(rows), 1, device=rows.device)
    apart = (rows[one] - rows[other]).square().sum(-1)
    return torch.logsumexp(-t * apart, 0) - math.log(len(one))
