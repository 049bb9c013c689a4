"""Negative log-likelihoods of continuous data in nats, with all constants, so that models can be compared.

A ``scale`` broadcasts to the output: one for all, (features,), (batch, 1), or (batch, features) from a network.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from losslens.losses.family import LIKELIHOOD, POINTWISE, PROFILE_LIKELIHOOD, Parameter, loss
from losslens.losses.special import log_one_plus_square, log_rising
from losslens.vocabulary.quantities import Domain, Range

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_FLOOR = math.exp(-6.0)  # of a standard deviation that is set to its optimum


@loss(
    LIKELIHOOD,
    candidate=True,
    minimum=None,
    units="nats",
    elicits="mean",
    reference="Gauss, Theoria motus, 1809",
    use="For real numbers with noise of one size, when nats or the noise level are wanted.",
    failure="The fit is that of mse and no more robust: outliers also inflate the learned scale.",
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
    return _half_square((target - output) / scale) + scale.log() + _HALF_LOG_TWO_PI


def _half_square(number: Tensor) -> Tensor:
    return number * (number / 2.0)


@loss(
    LIKELIHOOD,
    candidate=True,
    minimum=None,
    units="nats",
    elicits="median",
    smoothness="C0",
    reference="Laplace, Memoire sur la probabilite des causes, 1774",
    use="For heavy-tailed noise, when nats or the noise level are wanted.",
    failure="On mostly zero data the best output is zero, and its pull does not fade near the target.",
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
    minimum=None,
    units="nats",
    elicits="between mean and median",
    convex=False,
    reference="Lange, Little and Taylor, Journal of the American Statistical Association 84, 1989",
    use="For real numbers with outliers, when how heavy the tails are is to be learned.",
    failure="Not convex: an output far from all data is hardly pulled back, so start from a reasonable fit.",
    torch_line="lambda output, target: -torch.distributions.StudentT("
    "degrees_of_freedom, output, scale).log_prob(target).sum(1).mean()",
)
def student_t(
    output: Tensor,
    target: Tensor,
    *,
    degrees_of_freedom: Annotated[Tensor, Parameter(5.0, "all", Range(0.5, 1e6, log=True))],
    scale: Annotated[Tensor, Parameter(1.0, "all", Range(1e-4, 1e4, log=True))],
) -> Tensor:
    r"""Student's t density around the output: outliers pull ever less, and how heavy the tails are is learned.

    .. math:: \frac{\nu + 1}{2} \log\left(1 + \frac{z^2}{\nu}\right) + \log\sigma
              + \log\frac{\Gamma(\nu/2)\sqrt{\nu\pi}}{\Gamma((\nu+1)/2)}, \qquad z = \frac{x - m}{\sigma}

    ``degrees_of_freedom`` is :math:`\nu`. Tends to :func:`gaussian` as it grows, without loss of precision. Not
    convex: an output far from all data is hardly pulled back, so start from a reasonable fit.

    >>> one = torch.tensor(1.0)
    >>> losslens.student_t(torch.zeros(1, 1), torch.ones(1, 1), degrees_of_freedom=one, scale=one)
    tensor(1.8379)
    """
    nu = degrees_of_freedom
    bend = (nu + 1.0) / 2.0 * log_one_plus_square((target - output) / (scale * nu.sqrt()))
    return bend + scale.log() + _HALF_LOG_TWO_PI - log_rising(torch.full_like(nu, 0.5), nu / 2.0)


def _median_of_log_normal(output: Tensor, **_: Tensor) -> Tensor:
    return output.exp()


@loss(
    LIKELIHOOD,
    minimum=None,
    units="nats",
    elicits="geometric mean",
    domain=Domain.POSITIVE,
    link="log",
    prediction=_median_of_log_normal,
    reference="McAlister, Proceedings of the Royal Society 29, 1879",
    use="For positive numbers whose spread is proportional to their size.",
    failure="Zeros are impossible, and values close to zero weigh as much as large ones.",
    torch_line="lambda output, target: -torch.distributions.LogNormal(output, scale).log_prob(target).sum(1).mean()",
)
def log_normal(
    output: Tensor, target: Tensor, *, scale: Annotated[Tensor, Parameter(1.0, "all", Range(1e-4, 1e4, log=True))]
) -> Tensor:
    r"""Normal density of the logarithm: positive data whose spread is relative, with one learned scale.

    .. math:: \tfrac12 \left(\frac{\log x - \mu}{\sigma}\right)^2 + \log\sigma + \log x + \tfrac12 \log 2\pi

    ``output`` is :math:`\mu`, the logarithm of the median; the mean is :math:`e^{\mu + \sigma^2/2}`. Nothing may be
    zero; values close to it weigh as much as large ones.

    >>> losslens.log_normal(torch.zeros(1, 1), torch.ones(1, 1), scale=torch.tensor(1.0))
    tensor(0.9189)
    """
    log_target = target.log()
    return _half_square((log_target - output) / scale) + scale.log() + log_target + _HALF_LOG_TWO_PI


@loss(
    PROFILE_LIKELIHOOD,
    minimum=None,
    units="nats",
    elicits="mean",
    convex=False,
    independent=False,
    reference="Rybkin, Daniilidis and Levine, ICML 2021",
    use="For variational autoencoders, when the weight of the divergence is not to be tuned.",
    failure="The scale is fitted to the very errors it judges: report held-out nats by gaussian.",
    torch_line="lambda output, target: "
    "(2 * torch.pi * torch.e * torch.nn.functional.mse_loss(output, target)).log() * output.shape[1] / 2",
)
def calibrated_gaussian(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""Normal density with the one standard deviation that is best for the batch at hand: nothing to learn or tune.

    .. math:: \sum_g \tfrac12 \left(\frac{x_g - \mu_g}{\sigma}\right)^2 + \log\sigma + \tfrac12 \log 2\pi,
              \qquad \sigma^2 = \mathrm{mean}\,(x - \mu)^2 + e^{-12}

    Shapes: (batch, features) twice -> (batch,). The mean over errors is over the whole batch, so that the loss is
    :math:`\tfrac G2 \log(2 \pi e\,\mathrm{MSE})` down to a standard deviation of :math:`e^{-6}`. Samples depend on
    each other, and nats of held-out data are those of a model that has seen their errors: report :func:`gaussian`.

    >>> losslens.calibrated_gaussian(torch.zeros(2, 1), torch.tensor([[1.0], [-1.0]]))
    tensor(1.4189)
    """
    error = output - target if mask is None else torch.where(mask, output - target, 0.0)
    present = torch.ones_like(error) if mask is None else mask.to(error.dtype)
    unit = error.detach().abs().amax().clamp_min(_FLOOR)  # a unit of the errors in which no square is out of range
    part = error / unit
    variance = part.square().sum() / present.sum().clamp_min(1.0) + (_FLOOR / unit).square()
    nats = _half_square(part) / variance + unit.log() + 0.5 * variance.log() + _HALF_LOG_TWO_PI
    return (nats * present).sum(-1)


@loss(
    POINTWISE,
    minimum=None,
    units="nats times (data units) to the power 2 beta",
    elicits="mean",
    stops=("scale",),
    reference="Seitzer, Tavakoli, Antic and Martius, ICLR 2022",
    use="When noise differs and is learned, and a plain likelihood leaves the noisy part unfitted.",
    failure="It is no likelihood: values do not compare between models or between choices of beta.",
    torch_line="lambda output, target: (scale.detach() ** (2 * {beta:g}) * torch.nn.functional.gaussian_nll_loss("
    'output, target, (scale ** 2).expand_as(output), full=True, eps=1e-12, reduction="none")).mean()',
)
def beta_nll(
    output: Tensor,
    target: Tensor,
    *,
    beta: Annotated[float, Range(0.0, 1.0)] = 0.5,
    scale: Annotated[Tensor, Parameter(1.0, "feature", Range(1e-4, 1e4, log=True))],
) -> Tensor:
    r"""Normal density weighed by a power of its variance, so that what is noisy is still fitted.

    .. math:: \lfloor \sigma^{2\beta} \rfloor
              \left(\tfrac12 \left(\frac{x - \mu}{\sigma}\right)^2 + \log\sigma + \tfrac12 \log 2\pi\right)

    No gradient passes through the weight in brackets. The gradient in :math:`\mu` is that of half the squared error,
    times :math:`\sigma^{2\beta - 2}`: at ``beta=0`` that of :func:`gaussian`, at 1 that of half the mse, while the
    scale is learned all the same. A training objective and no likelihood: do not compare its values.

    >>> two = torch.tensor(2.0)
    >>> losslens.beta_nll(torch.ones(1, 1), torch.zeros(1, 1), scale=two, beta=1.0)
    tensor(6.9483)
    """
    weight = scale.detach() ** beta  # of the standardised error, before the square: the square alone may overflow
    return _half_square((target - output) * (weight / scale)) + weight.square() * (scale.log() + _HALF_LOG_TWO_PI)
