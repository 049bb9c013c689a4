"""Negative log-likelihoods of binary data and of numbers between 0 and 1, in nats."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from losslens.losses.family import LIKELIHOOD, Parameter, loss
from losslens.losses.special import log_mixed, log_rising, stirling_rest
from losslens.vocabulary.quantities import Domain, Range

_MANY = 30.0  # shapes from which on Stirling's series alone is exact


@loss(
    LIKELIHOOD,
    candidate=True,
    minimum=None,
    units="nats",
    elicits="mean",
    domain=Domain.BINARY,
    link="logits",
    prediction=torch.sigmoid,
    reference="Bernoulli, Ars conjectandi, 1713",
    use="For data of zeros and ones, with a network that gives logits.",
    failure="For numbers strictly between 0 and 1 it is not a density, and its nats compare with nothing.",
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
    use="For numbers in [0, 1], such as pixel intensities, in place of binary cross-entropy.",
    failure="Decoded with the sigmoid of the logit instead of the distribution's mean it is far too extreme.",
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


def _mean_of_beta(output: Tensor, **_: Tensor) -> Tensor:
    return torch.sigmoid(output)


@loss(
    LIKELIHOOD,
    minimum=None,
    units="nats",
    elicits="mean logit under the distribution",
    domain=Domain.OPEN_UNIT,
    link="logits",
    convex=False,
    prediction=_mean_of_beta,
    reference="Ferrari and Cribari-Neto, Journal of Applied Statistics 31, 2004",
    use="For proportions strictly between 0 and 1, when how closely they are known is to be learned.",
    failure="Exact zeros and ones are impossible, and values next to them can dominate.",
    torch_line="lambda logits, target: -torch.distributions.Beta("
    "concentration * logits.sigmoid(), concentration * (-logits).sigmoid()).log_prob(target).sum(1).mean()",
)
def beta(
    output: Tensor,
    target: Tensor,
    *,
    concentration: Annotated[Tensor, Parameter(2.0, "all", Range(1e-2, 1e6, log=True))],
) -> Tensor:
    r"""Beta density of numbers strictly between 0 and 1, with one learned concentration around the mean.

    .. math:: \log\frac{\Gamma(a)\,\Gamma(b)}{\Gamma(c)} - (a - 1) \log x - (b - 1) \log(1 - x),
              \qquad a = c\,m, \quad b = c\,(1 - m), \quad m = \mathrm{sigmoid}(\eta)

    ``output`` is the logit :math:`\eta` of the mean, ``concentration`` is c; the variance is m (1 - m) / (c + 1).
    Its density at 0 and 1 is zero or infinite: where data hold them, use :func:`continuous_bernoulli`.

    >>> losslens.beta(torch.zeros(1, 1), torch.full((1, 1), 0.3), concentration=torch.tensor(2.0)).abs() < 1e-6
    tensor(True)
    """
    log_target, log_rest = target.log(), torch.log1p(-target)
    log_mean, log_other = functional.logsigmoid(output), functional.logsigmoid(-output)
    mean, other = log_mean.exp(), log_other.exp()
    distance = _bernoulli_divergence(output - (log_target - log_rest), mean, other, log_target, log_rest)
    normaliser = _beta_normaliser(concentration, log_mean, log_other)
    return concentration * distance + normaliser + log_target + log_rest


def _bernoulli_divergence(shift: Tensor, mean: Tensor, other: Tensor, log_target: Tensor, log_rest: Tensor) -> Tensor:
    """Of the Bernoulli distribution at the target from that at the mean, whose logits are ``shift`` apart.

    Written from the side of the smaller probability: from the other one it would be a difference of large terms.
    """
    low = mean < 0.5
    side, term = torch.where(low, mean, other), torch.where(low, shift, -shift)
    stays, goes = torch.where(low, log_rest, log_target), torch.where(low, log_target, log_rest)
    return side * term - log_mixed(term, stays, goes)


def _beta_normaliser(concentration: Tensor, log_mean: Tensor, log_other: Tensor) -> Tensor:
    r""":math:`\log B(a, b) - a \log m - b \log(1 - m)`: what is left when data lie at the mean.

    Stirling's series, if both shapes are large; else the larger alone goes through a series.
    """
    a, b = concentration * log_mean.exp(), concentration * log_other.exp()
    both = torch.minimum(a, b) > _MANY
    log_shapes = concentration.log() + log_mean + log_other
    rest = sum(sign * stirling_rest(torch.where(both, z, _MANY)) for sign, z in ((1, a), (1, b), (-1, a + b)))
    series = 0.5 * (math.log(2.0 * math.pi) - log_shapes) + rest
    small, large = torch.minimum(a, b), torch.maximum(a, b)
    ways = torch.lgamma(1.0 + small) - log_rising(small, 1.0 + large) - small * torch.log1p(large)
    return torch.where(both, series, ways - log_shapes - a * log_mean - b * log_other)
