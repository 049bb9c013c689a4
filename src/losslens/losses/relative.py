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
    use="For non-negative data over several decades, where factors matter, not differences.",
    failure="It predicts less than the mean, and values far below one are compared by differences after all.",
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
    use="For non-negative data with exact zeros and a continuous tail, such as TPM, rainfall or sales.",
    failure="The power must be chosen: too low, and large values decide the fit; too high, and small ones do.",
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

    def of_nothing(mean: Tensor) -> Tensor:
        return 2.0 * mean ** (2.0 - power) / (2.0 - power)

    steepest = ((least(output) ** (1.0 / power)) * size ** (1.0 / power)).clamp_min(floor)
    present = sloped(*(_deviance(lifted(output, end), size, power) for end in (floor, steepest)))
    return torch.where(absent, sloped(of_nothing(output), of_nothing(lifted(output, floor))), present)


def _deviance(mean: Tensor, target: Tensor, power: float) -> Tensor:
    r"""Of numbers above zero, x the logarithm of their ratio: :math:`2t^a \bigl[(e^{ax} - 1)/a - (e^{bx} - 1)/b\bigr]`.

    Here a = 2 - p and b = 1 - p; the bracket is half the square of a small x.
    """
    a, b = 2.0 - power, 1.0 - power
    x, scale = _log_ratio(mean, target), target**a
    near, grown = x.abs() < _NEAR, a * x > 1.0
    small, large = torch.where(near, x, 0.0), torch.where(near, 1.0, x)
    # A mean far above the target has a power of its own; that of the ratio may be out of range.
    first = torch.where(grown, mean**a - scale, scale * torch.expm1(a * torch.where(grown, 0.0, large))) / a
    second = large if b == 0.0 else torch.expm1(b * large) / b
    return 2.0 * torch.where(near, scale * _series(small, a, b), first - scale * second)


def _log_ratio(mean: Tensor, target: Tensor) -> Tensor:
    """Exact also where the two are almost equal."""
    apart = mean - target
    near = apart.abs() < 0.5 * target
    return torch.where(near, torch.log1p(torch.where(near, apart, 0.0) / target), mean.log() - target.log())


def _series(x: Tensor, a: float, b: float) -> Tensor:
    total, term = torch.zeros_like(x), x.clone()
    for order in range(2, 13):
        term = term * x / order
        total = total + (a ** (order - 1) - b ** (order - 1)) * term
    return total
