"""Negative log-likelihoods in nats, with all constants, so that models can be compared on held-out data."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from losslens.losses.family import LIKELIHOOD, Parameter, loss
from losslens.vocabulary.quantities import Domain, Range

_TINY = 1e-30  # keeps log(0) and 0/0 out of rates that underflow; far below any rate that data can support


@loss(
    LIKELIHOOD,
    candidate=True,
    minimum=None,
    units="nats",
    elicits="mean",
    reference="Gauss, Theoria motus, 1809",
    torch_line="lambda output, target: -torch.distributions.Normal(output, scale).log_prob(target).sum(1).mean()",
)
def gaussian(
    output: Tensor, target: Tensor, *, scale: Annotated[Tensor, Parameter(1.0, "all", Range(1e-4, 1e4, log=True))]
) -> Tensor:
    r"""Normal density around the output with one learned standard deviation.

    .. math:: \tfrac12 \left(\frac{x - \mu}{\sigma}\right)^2 + \log\sigma + \tfrac12 \log 2\pi

    The best constant :math:`\sigma^2` is the mean squared error, so the fit is the one of mse, weighed by
    itself. Values can be negative: a density can exceed one.

    >>> losslens.gaussian(torch.zeros(1, 1), torch.zeros(1, 1), scale=torch.tensor(1.0))
    tensor(0.9189)
    """
    standardised = (target - output) / scale
    return standardised * (standardised / 2.0) + scale.log() + 0.5 * math.log(2.0 * math.pi)


@loss(
    LIKELIHOOD,
    candidate=True,
    minimum=None,
    units="nats",
    elicits="median",
    smoothness="C0",
    reference="Laplace, Memoire sur la probabilite des causes, 1774",
    torch_line="lambda output, target: -torch.distributions.Laplace(output, scale).log_prob(target).sum(1).mean()",
)
def laplace(
    output: Tensor, target: Tensor, *, scale: Annotated[Tensor, Parameter(1.0, "all", Range(1e-4, 1e4, log=True))]
) -> Tensor:
    r"""Double-exponential density around the output with one learned scale.

    .. math:: |x - m| / b + \log 2b

    The likelihood behind mae; the best constant :math:`b` is the mean absolute error.

    >>> losslens.laplace(torch.zeros(1, 1), torch.ones(1, 1), scale=torch.tensor(1.0))
    tensor(1.6931)
    """
    return (target - output).abs() / scale + (2.0 * scale).log()


@loss(
    LIKELIHOOD,
    candidate=True,
    minimum=None,
    units="nats",
    elicits="mean",
    domain=Domain.BINARY,
    link="logits",
    aliases=("bce",),
    prediction=torch.sigmoid,
    reference="Bernoulli, Ars conjectandi, 1713",
    torch_line="lambda logits, target: torch.nn.functional.binary_cross_entropy_with_logits("
    'logits, target, reduction="none").sum(1).mean()',
)
def bernoulli(output: Tensor, target: Tensor) -> Tensor:
    r"""Binary cross-entropy from logits: the likelihood of zeros and ones.

    .. math:: \log(1 + e^{\eta}) - x\,\eta

    For data strictly between 0 and 1 it is not a density; use :func:`continuous_bernoulli`.

    >>> losslens.bernoulli(torch.zeros(1, 1), torch.ones(1, 1))
    tensor(0.6931)
    """
    return functional.binary_cross_entropy_with_logits(output, target, reduction="none")


def continuous_bernoulli_mean(output: Tensor) -> Tensor:
    r"""Mean of the continuous Bernoulli with logit :math:`\eta`: :math:`1/(1 - e^{-\eta}) - 1/\eta`."""
    half = output / 2.0
    small = half.abs() < 0.1
    near = torch.where(small, half, 0.0)
    far = torch.where(small, 1.0, half)
    series = near / 3.0 - near**3 / 45.0 + 2.0 * near**5 / 945.0 - near**7 / 4725.0
    return 0.5 + 0.5 * torch.where(small, series, 1.0 / torch.tanh(far) - 1.0 / far)


@loss(
    LIKELIHOOD,
    candidate=True,
    minimum=None,
    units="nats",
    elicits="mean",
    domain=Domain.UNIT,
    link="logits",
    prediction=continuous_bernoulli_mean,
    reference="Loaiza-Ganem and Cunningham, NeurIPS 2019",
    torch_line="lambda logits, target: -torch.distributions.ContinuousBernoulli(logits=logits)"
    ".log_prob(target).sum(1).mean()",
)
def continuous_bernoulli(output: Tensor, target: Tensor) -> Tensor:
    r"""The density on [0, 1] that binary cross-entropy is often mistaken for, with its normaliser.

    .. math:: \log\frac{e^{\eta} - 1}{\eta} - x\,\eta

    ``output`` is the logit :math:`\eta`. Decode with the distribution's mean, not with
    :math:`\mathrm{sigmoid}(\eta)`: the best logit is far more extreme than that of the mean.

    >>> losslens.continuous_bernoulli(torch.zeros(1, 1), torch.full((1, 1), 0.3)).abs() < 1e-6
    tensor(True)
    """
    half = output / 2.0
    small = half.abs() < 0.1
    near = torch.where(small, half, 0.0).square()
    far = torch.where(small, 1.0, output).abs()
    series = near / 6.0 - near.square() / 180.0 + near**3 / 2835.0 - near**4 / 37800.0
    # One factor for all linear terms: apart, they would round the others away where the logit saturates.
    slope = torch.where(small, 0.5, (output > 0).to(output.dtype)) - target
    return slope * output + torch.where(small, series, torch.log1p(-torch.exp(-far)) - far.log())


def _lifted(rate: Tensor) -> Tensor:
    """The rate, or 1e-30 where it is smaller; the gradient passes, so that such a rate can recover."""
    return rate + (_TINY - rate.detach()).clamp_min(0.0)


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
    torch_line="lambda rate, target: -torch.distributions.Poisson(rate).log_prob(target).sum(1).mean()",
)
def poisson(output: Tensor, target: Tensor) -> Tensor:
    r"""Counts whose variance equals their mean; ``output`` is the rate.

    .. math:: \lambda - x \log\lambda + \log x!

    Shapes: alike, any; rates must be positive. Real counts usually vary more: :func:`negative_binomial`.

    >>> losslens.poisson(torch.ones(1, 1), torch.ones(1, 1))
    tensor(1.)
    """
    return output - torch.xlogy(target, _lifted(output)) + torch.lgamma(target + 1.0)


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
    theta = inverse_dispersion
    log_growth = torch.log1p(output / theta)
    log_mean = torch.xlogy(target, _lifted(output))
    return (target + theta) * log_growth - log_mean - _log_rising(target, theta) + torch.lgamma(target + 1.0)


def _log_rising(x: Tensor, theta: Tensor) -> Tensor:
    r""":math:`\log\Gamma(x+\theta) - \log\Gamma(\theta) - x\log\theta`, by Stirling's series where θ is large."""
    large = theta > 30.0
    if not (torch.compiler.is_compiling() or bool(large.any())):
        return torch.lgamma(x + theta) - torch.lgamma(theta) - x * theta.log()
    big = torch.where(large, theta, 30.0)
    end = x + big
    series = (end - 0.5) * torch.log1p(x / big) - x + _stirling_rest(end) - _stirling_rest(big)
    small = torch.where(large, 1.0, theta)
    direct = torch.lgamma(x + small) - torch.lgamma(small) - x * small.log()
    return torch.where(large, series, direct)


def _stirling_rest(z: Tensor) -> Tensor:
    return (1.0 - (1.0 / 30.0 - 1.0 / (105.0 * z.square())) / z.square()) / (12.0 * z)
