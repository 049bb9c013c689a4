"""Negative log-likelihoods of counts, in nats."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from losslens.losses.family import LIKELIHOOD, Parameter, loss
from losslens.losses.special import lifted, log_mixed, log_rising, stirling_rest
from losslens.vocabulary.quantities import Domain, Range

_TINY = 1e-30  # what rates that underflow count as; far below any rate that data can support
_MANY = 100.0  # counts from which on the terms of the textbook form cancel to too few digits of float32

_ZERO_ODDS = Parameter(0.1, "feature", Range(1e-6, 1e6, log=True))


def _poisson_log_laplace(output: Tensor, s: Tensor) -> Tensor:
    return output * torch.expm1(-s)


@loss(
    LIKELIHOOD,
    candidate=True,
    minimum=None,
    units="nats",
    elicits="mean",
    domain=Domain.COUNTS,
    link="softmax",
    log_laplace=_poisson_log_laplace,
    reference="Poisson, Recherches sur la probabilite des jugements, 1837",
    use="For counts that vary no more than their mean, or where only that mean is wanted.",
    failure="Where counts vary more, its nats are too sure and large counts weigh too much.",
    torch_line="lambda rate, target: -torch.distributions.Poisson(rate).log_prob(target).sum(1).mean()",
)
def poisson(output: Tensor, target: Tensor) -> Tensor:
    r"""Counts whose variance equals their mean; ``output`` is the rate.

    .. math:: \lambda - x \log\lambda + \log x!

    Shapes: alike, any; rates must be positive, and count as at least 1e-30 in the logarithm. Real
    counts usually vary more: :func:`negative_binomial`.

    >>> losslens.poisson(torch.ones(1, 1), torch.ones(1, 1))
    tensor(1.)
    """
    return _nats(_poisson_of_few, _poisson_of_many, target, output)


def _poisson_of_few(x: Tensor, rate: Tensor) -> Tensor:
    return rate - torch.xlogy(x, lifted(rate, _TINY)) + torch.lgamma(x + 1.0)


def _poisson_of_many(x: Tensor, rate: Tensor) -> Tensor:
    change = rate - x
    log_ratio = _log1p(change / x, lifted(rate, _TINY).log() - x.log())
    return change - x * log_ratio + stirling_rest(x) + 0.5 * (2.0 * math.pi * x).log()


def _negative_binomial_log_laplace(output: Tensor, s: Tensor, *, inverse_dispersion: Tensor) -> Tensor:
    return -inverse_dispersion * torch.log1p(-output * torch.expm1(-s) / inverse_dispersion)


@loss(
    LIKELIHOOD,
    candidate=True,
    minimum=None,
    units="nats",
    elicits="mean",
    domain=Domain.COUNTS,
    link="softmax",
    log_laplace=_negative_binomial_log_laplace,
    convex=False,
    reference="Greenwood and Yule, Journal of the Royal Statistical Society 83, 1920",
    use="For counts that vary more than their mean, such as molecules of a gene per cell.",
    failure="Features of few counts leave their dispersion undetermined; not convex in the mean.",
    torch_line="lambda mean, target: -torch.distributions.NegativeBinomial("
    "inverse_dispersion, logits=(mean / inverse_dispersion).log()).log_prob(target).sum(1).mean()",
)
def negative_binomial(
    output: Tensor,
    target: Tensor,
    *,
    inverse_dispersion: Annotated[Tensor, Parameter(1.0, "feature", Range(1e-3, 1e6, log=True))],
) -> Tensor:
    r"""Over-dispersed counts: variance = mean + mean² / θ, with one learned θ per feature.

    .. math:: -\log\frac{\Gamma(x+\theta)}{\Gamma(\theta)\,x!}
              + (x + \theta)\log\left(1 + \frac{\mu}{\theta}\right) - x \log\frac{\mu}{\theta}

    ``inverse_dispersion`` is θ. Tends to :func:`poisson` as θ grows, without loss of precision.

    >>> one = torch.ones(1, 1)
    >>> losslens.negative_binomial(one, 0 * one, inverse_dispersion=torch.tensor(1.0))
    tensor(0.6931)
    """
    return _nats(_negative_binomial_of_few, _negative_binomial_of_many, target, output, inverse_dispersion)


def _negative_binomial_of_few(x: Tensor, mean: Tensor, theta: Tensor) -> Tensor:
    log_growth = torch.log1p(mean / theta)
    return (x + theta) * log_growth - torch.xlogy(x, lifted(mean, _TINY)) - log_rising(x, theta) + torch.lgamma(x + 1.0)


def _negative_binomial_of_many(x: Tensor, mean: Tensor, theta: Tensor) -> Tensor:
    r"""With :math:`n = x + \theta`: the divergence from (x, θ) / n to (μ, θ) / (μ + θ), n times, and what is left."""
    n, total, change = x + theta, theta + mean, mean - x
    log_total = _log1p(change / n, total.log() - n.log())
    log_odds = _log1p(change / x * (theta / total), lifted(mean, _TINY).log() + n.log() - x.log() - total.log())
    rest = stirling_rest(theta) + stirling_rest(x) - stirling_rest(n)
    return theta * log_total - x * log_odds + rest + 0.5 * (2.0 * math.pi * x * (n / theta)).log()


def _nats(few: Callable[..., Tensor], many: Callable[..., Tensor], target: Tensor, *parameters: Tensor) -> Tensor:
    """Each count by the form that is exact for it; compiled code cannot pick, and computes both for all."""
    values, large = few(target, *parameters), target > _MANY
    if torch.compiler.is_compiling():
        return torch.where(large, many(torch.where(large, target, _MANY), *parameters), values)
    if not bool(large.any()):
        return values
    picked = (tensor.expand_as(target)[large] for tensor in (target, *parameters))
    return values.masked_scatter(large, many(*picked))


def _log1p(change: Tensor, apart: Tensor) -> Tensor:
    """The logarithm of one plus the change; ``apart`` is the same as a difference, for changes close to -1."""
    near = change > -0.5
    return torch.where(near, torch.log1p(torch.where(near, change, 0.0)), apart)


def _inflated_mean(output: Tensor, *, zero_odds: Tensor, **_: Tensor) -> Tensor:
    return output / (1.0 + zero_odds)


def _log_inflated(log_rest: Tensor, odds: Tensor) -> Tensor:
    """Logarithm of a certain one with probability odds / (1 + odds), else ``log_rest``."""
    return log_mixed(log_rest, odds.log() - torch.log1p(odds), -torch.log1p(odds))


def _inflated(log_zero: Tensor, nats: Tensor, target: Tensor, odds: Tensor) -> Tensor:
    return torch.where(target == 0, -_log_inflated(log_zero, odds), nats + torch.log1p(odds))


def _zero_inflated_poisson_log_laplace(output: Tensor, s: Tensor, *, zero_odds: Tensor) -> Tensor:
    return _log_inflated(_poisson_log_laplace(output, s), zero_odds)


@loss(
    LIKELIHOOD,
    minimum=None,
    units="nats",
    elicits="mean, if its parameters fit",
    domain=Domain.COUNTS,
    link="softmax",
    convex=False,
    prediction=_inflated_mean,
    log_laplace=_zero_inflated_poisson_log_laplace,
    reference="Lambert, Technometrics 34, 1992",
    use="For Poisson counts of which a share was lost to zero, as by failed measurements.",
    failure="It takes spread for lost counts where the others vary too: compare negative_binomial.",
    torch_line="lambda mean, target: -torch.where(target == 0, ((zero_odds + (-mean).exp()) / (1 + zero_odds)).log(), "
    "torch.distributions.Poisson(mean).log_prob(target) - zero_odds.log1p()).sum(1).mean()",
)
def zero_inflated_poisson(output: Tensor, target: Tensor, *, zero_odds: Annotated[Tensor, _ZERO_ODDS]) -> Tensor:
    r"""Poisson counts of which a share was lost to zero, the same for all samples, learned per feature.

    .. math:: -\log\left(\pi\,[x = 0] + (1 - \pi)\,\frac{e^{-\mu} \mu^x}{x!}\right), \qquad \pi = \frac{o}{1 + o}

    ``output`` is :math:`\mu`, ``zero_odds`` is o; the mean is :math:`(1 - \pi)\,\mu`. Tends to :func:`poisson` as o
    falls. It takes spread for lost counts: where counts above zero vary too, use :func:`negative_binomial`.

    >>> one = torch.ones(1, 1)
    >>> losslens.zero_inflated_poisson(one, one, zero_odds=torch.tensor(1.0))
    tensor(1.6931)
    """
    return _inflated(-output, poisson.entry.element(output, target), target, zero_odds)  # type: ignore[attr-defined]


def _zero_inflated_negative_binomial_log_laplace(
    output: Tensor, s: Tensor, *, inverse_dispersion: Tensor, zero_odds: Tensor
) -> Tensor:
    rest = _negative_binomial_log_laplace(output, s, inverse_dispersion=inverse_dispersion)
    return _log_inflated(rest, zero_odds)


@loss(
    LIKELIHOOD,
    minimum=None,
    units="nats",
    elicits="mean, if its parameters fit",
    domain=Domain.COUNTS,
    link="softmax",
    convex=False,
    prediction=_inflated_mean,
    log_laplace=_zero_inflated_negative_binomial_log_laplace,
    reference="Greene, New York University working paper EC-94-10, 1994",
    use="For counts with more zeros than the negative binomial explains.",
    failure="A wide spread explains many zeros as well, so that the share of lost counts may mean nothing.",
    torch_line="lambda mean, target: (lambda law: -torch.where("
    "target == 0, ((zero_odds + law.log_prob(0 * target).exp()) / (1 + zero_odds)).log(), "
    "law.log_prob(target) - zero_odds.log1p()).sum(1).mean())("
    "torch.distributions.NegativeBinomial(inverse_dispersion, logits=(mean / inverse_dispersion).log()))",
)
def zero_inflated_negative_binomial(
    output: Tensor,
    target: Tensor,
    *,
    inverse_dispersion: Annotated[Tensor, Parameter(1.0, "feature", Range(1e-3, 1e6, log=True))],
    zero_odds: Annotated[Tensor, _ZERO_ODDS],
) -> Tensor:
    r"""Over-dispersed counts of which a share was lost to zero, with a learned θ and share per feature.

    .. math:: -\log\left(\pi\,[x = 0] + (1 - \pi)\,\mathrm{NB}(x;\, \mu, \theta)\right), \qquad \pi = \frac{o}{1 + o}

    ``output`` is :math:`\mu`, ``zero_odds`` is o; the mean is :math:`(1 - \pi)\,\mu`. Small θ explains many zeros as
    well: where :func:`negative_binomial` has the same nats, the share says nothing.

    >>> one = torch.ones(1, 1)
    >>> losslens.zero_inflated_negative_binomial(one, 0 * one, inverse_dispersion=one, zero_odds=one)
    tensor(0.2877)
    """
    counts = negative_binomial.entry.element(output, target, inverse_dispersion=inverse_dispersion)  # type: ignore[attr-defined]
    log_zero = -inverse_dispersion * torch.log1p(output / inverse_dispersion)
    return _inflated(log_zero, counts, target, zero_odds)
