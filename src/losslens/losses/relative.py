"""Pointwise losses of non-negative data that judge an error by the size of the target."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from losslens.losses.family import POINTWISE, loss
from losslens.losses.special import least, lifted, sloped
from losslens.vocabulary.quantities import Domain, Range

_NEAR = 0.1  # ratios from which on differences of exponentials keep their digits


@loss(
    POINTWISE,
    units="squared logarithms",
    elicits="mean of log(1 + x)",
    domain=Domain.NON_NEGATIVE,
    link="softplus",
    convex=False,
    reference="mean squared error of log(1 + x)",
    torch_line="lambda output, target: torch.nn.functional.mse_loss(output.log1p(), target.log1p())",
)
def mean_squared_log(output: Tensor, target: Tensor) -> Tensor:
    r"""Squared error of logarithms: a factor counts alike on small and on large targets.

    .. math:: \bigl(\log(1 + \hat x) - \log(1 + x)\bigr)^2

    Shapes: output and target alike, any; outputs must not be negative. For data over many decades with zeros. It
    predicts less than the mean; for data that are logged already use :func:`mse`.

    >>> losslens.mean_squared_log(torch.tensor([3.0]), torch.tensor([0.0]))
    tensor(1.9218)
    """
    ratio = (output - target) / (1.0 + target)
    near = ratio.abs() < 0.5
    apart = torch.where(near, torch.log1p(torch.where(near, ratio, 0.0)), torch.log1p(output) - torch.log1p(target))
    return apart.square()


@loss(
    POINTWISE,
    units="data units to the power 2 - p",
    elicits="mean",
    domain=Domain.NON_NEGATIVE,
    link="softplus",
    convex=False,
    reference="Jorgensen, Journal of the Royal Statistical Society B 49, 1987",
    torch_line="lambda output, target: 2 * (target**(2 - {power:g}) / ((1 - {power:g}) * (2 - {power:g}))"
    " - target * output**(1 - {power:g}) / (1 - {power:g}) + output**(2 - {power:g}) / (2 - {power:g})).mean()",
)
def tweedie(output: Tensor, target: Tensor, *, power: Annotated[float, Range(1.0, 1.99)] = 1.5) -> Tensor:
    r"""Deviance of non-negative data with exact zeros and a continuous tail: TPM, rainfall, sales.

    .. math:: 2\left[\frac{x^{2-p}}{(1-p)(2-p)} - \frac{x\,m^{1-p}}{1-p} + \frac{m^{2-p}}{2-p}\right]

    Shapes: output and target alike, any; the output m must be positive. The variance grows as the mean to the
    ``power``: 1 is the Poisson deviance, near 2 that of the gamma distribution, which knows no zeros. Where a softplus
    has underflowed, beside a target above zero, m counts as 1e-38 (in float32), and the gradient stays within 1e36.

    >>> losslens.tweedie(torch.tensor([4.0]), torch.tensor([1.0]), power=1.5)
    tensor(2.)
    """
    absent, floor = target == 0.0, torch.finfo(output.dtype).tiny
    size = torch.where(absent, 1.0, target)

    def deviance(mean: Tensor) -> Tensor:
        return 2.0 * size ** (2.0 - power) * _two_powers(_log_ratio(mean, size), power)

    def of_nothing(mean: Tensor) -> Tensor:
        return 2.0 * mean ** (2.0 - power) / (2.0 - power)

    steepest = ((least(output) ** (1.0 / power)) * size ** (1.0 / power)).clamp_min(floor)
    present = sloped(deviance(lifted(output, floor)), deviance(lifted(output, steepest)))
    return torch.where(absent, sloped(of_nothing(output), of_nothing(lifted(output, floor))), present)


def _log_ratio(output: Tensor, target: Tensor) -> Tensor:
    """Exact also where the two are almost equal."""
    ratio = (output - target) / target
    near = ratio.abs() < 0.5
    return torch.where(near, torch.log1p(torch.where(near, ratio, 0.0)), output.log() - target.log())


def _two_powers(x: Tensor, power: float) -> Tensor:
    r""":math:`(e^{ax} - 1)/a - (e^{bx} - 1)/b` with a = 2 - p and b = 1 - p: half the square of a small x."""
    near = x.abs() < _NEAR
    small, large = torch.where(near, x, 0.0), torch.where(near, 1.0, x)
    series, term = torch.zeros_like(x), small.clone()
    for order in range(2, 13):
        term = term * small / order
        series = series + ((2.0 - power) ** (order - 1) - (1.0 - power) ** (order - 1)) * term
    second = large if power == 1.0 else torch.expm1((1.0 - power) * large) / (1.0 - power)
    return torch.where(near, series, torch.expm1((2.0 - power) * large) / (2.0 - power) - second)
