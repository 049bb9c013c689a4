"""Robust pointwise losses: the pull of an outlier levels off or fades."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from losslens.losses.family import POINTWISE, loss
from losslens.losses.special import expm1, log_one_plus_square
from losslens.vocabulary.quantities import Range

Scale = Annotated[float, Range(1e-2, 1e2, log=True)]


@loss(
    POINTWISE,
    units="data units",
    elicits="between mean and median",
    reference="Charbonnier, Blanc-Feraud, Aubert and Barlaud, ICIP 1994",
    use="For a smooth mae, as in image restoration, with a scale well below the errors that matter.",
    failure="With a scale far above the errors it is an mse over twice the scale, and no longer robust.",
    torch_line="lambda output, target: (((output - target)**2 + {scale:g}**2).sqrt() - {scale:g}).mean()",
)
def charbonnier(output: Tensor, target: Tensor, *, scale: Scale = 1.0) -> Tensor:
    r"""Absolute error with a rounded tip: smooth everywhere, convex, linear in large errors.

    .. math:: \sqrt{r^2 + s^2} - s, \qquad r = \hat x - x

    Shapes: output and target alike, any. The constant makes a perfect reconstruction cost nothing. Use it as a smooth
    mae, with ``scale`` well below the errors that matter; at the default it is the pseudo-Huber loss.

    >>> losslens.charbonnier(torch.tensor([3.0]), torch.tensor([0.0]), scale=4.0)
    tensor(1.)
    """
    error = output - target
    return error * (error / (torch.hypot(error, torch.full_like(error, scale)) + scale))


@loss(
    POINTWISE,
    units="data units squared",
    elicits="redescending location",
    convex=False,
    reference="Holland and Welsch, Communications in Statistics A 6, 1977",
    use="For heavy-tailed noise with gross outliers, starting from a reasonable fit.",
    failure="Not convex: from a poor start good targets look like outliers and are hardly pulled.",
    torch_line="lambda output, target: {scale:g}**2 / 2 * (((output - target) / {scale:g})**2).log1p().mean()",
)
def cauchy(output: Tensor, target: Tensor, *, scale: Scale = 1.0) -> Tensor:
    r"""Logarithmic tails: an outlier's pull fades as one over its distance.

    .. math:: \tfrac{s^2}{2} \log\bigl(1 + (r/s)^2\bigr), \qquad r = \hat x - x

    Shapes: output and target alike, any. Half the squared error far below ``scale``. Not convex: start from a fit
    that is not all outliers.

    >>> losslens.cauchy(torch.tensor([3.0]), torch.tensor([0.0]))
    tensor(1.1513)
    """
    return scale**2 / 2.0 * log_one_plus_square((output - target) / scale)


@loss(
    POINTWISE,
    units="data units squared",
    elicits="redescending location",
    convex=False,
    reference="Geman and McClure, Bulletin of the International Statistical Institute 52, 1987",
    use="For data with gross errors that should be ignored, starting from a good fit.",
    failure="Errors beyond the scale hardly teach, so that training from a poor start can stall.",
    torch_line="lambda output, target: ({scale:g}**2 / 2 * (output - target)**2"
    " / ({scale:g}**2 + (output - target)**2)).mean()",
)
def geman_mcclure(output: Tensor, target: Tensor, *, scale: Scale = 1.0) -> Tensor:
    r"""Bounded: an outlier costs at most half the squared scale, and its pull fades with the cube of its distance.

    .. math:: \frac{s^2}{2} \cdot \frac{r^2}{s^2 + r^2}, \qquad r = \hat x - x

    Shapes: output and target alike, any. Rejects outliers outright; errors beyond ``scale`` hardly teach, so
    that training from a poor start can stall.

    >>> losslens.geman_mcclure(torch.tensor([3.0]), torch.tensor([0.0]))
    tensor(0.4500)
    """
    number = (output - target) / scale
    large = number.abs() > 1.0
    near, far = torch.where(large, 0.0, number), torch.where(large, number, 1.0).reciprocal()
    share = torch.where(large, 1.0 / (1.0 + far.square()), near.square() / (1.0 + near.square()))
    return scale**2 / 2.0 * share


@loss(
    POINTWISE,
    units="data units squared",
    elicits="redescending location",
    convex=False,
    reference="Dennis and Welsch, Communications in Statistics B 7, 1978",
    use="For rejecting outliers altogether, once most errors are within the scale.",
    failure="A few scales away there is no gradient at all: what starts there is never fitted.",
    torch_line="lambda output, target: -({scale:g}**2 / 2 * (-((output - target) / {scale:g})**2).expm1()).mean()",
)
def welsch(output: Tensor, target: Tensor, *, scale: Scale = 1.0) -> Tensor:
    r"""Bounded, and deaf to outliers: their pull fades faster than exponentially.

    .. math:: \tfrac{s^2}{2} \bigl(1 - e^{-(r/s)^2}\bigr), \qquad r = \hat x - x

    Shapes: output and target alike, any. What lies a few ``scale`` away has no gradient at all in floating point.

    >>> losslens.welsch(torch.tensor([3.0]), torch.tensor([0.0]))
    tensor(0.4999)
    """
    number = ((output - target) / scale).clamp(-1e3, 1e3)
    return -(scale**2) / 2.0 * expm1(-number.square())


@loss(
    POINTWISE,
    units="data units squared over the scale squared",
    elicits="between mean and median",
    reference="Barron, CVPR 2019",
    use="For trying degrees of robustness by one number, or for lowering it step by step in training.",
    failure="Shapes below 1 are not convex, and the shape cannot be learned by it: see adaptive_robust.",
    torch_line="lambda output, target: ({b:g} / {shape:g} * ((((output - target) / {scale:g})**2 / {b:g} + 1)"
    "**({shape:g} / 2) - 1)).mean()",
)
def barron(
    output: Tensor, target: Tensor, *, shape: Annotated[float, Range(-100.0, 2.0)] = 1.0, scale: Scale = 1.0
) -> Tensor:
    r"""One family from squared error to outright rejection: ``shape`` says how much an outlier counts.

    .. math:: \frac{|a - 2|}{a} \left[\left(\frac{(r/s)^2}{|a - 2|} + 1\right)^{a/2} - 1\right], \qquad r = \hat x - x

    Shapes: output and target alike, any. Times :math:`s^2` it is, with shape a = 2, half the squared error; 1, s
    times charbonnier; 0, cauchy with scale :math:`\sqrt 2\,s`; -2, geman_mcclure with scale 2 s; towards minus infinity
    welsch with scale :math:`\sqrt 2\,s`. Singular shapes are filled in by their limits. :func:`adaptive_robust` learns
    the shape.

    >>> losslens.barron(torch.tensor([3.0]), torch.tensor([0.0]), shape=2.0)
    tensor(4.5000)
    """
    return general((output - target) / scale, torch.tensor(shape, dtype=output.dtype, device=output.device))


_CLOSEST = 1e-13  # to shape 2, where the formula is singular and its limit reached to all digits
_FLAT = 1e-6  # shapes below it have powers within the series of all errors that there are


def general(number: Tensor, shape: Tensor) -> Tensor:
    """Barron's loss of a number in units of the scale, for a shape that may be learned."""
    distance = (shape - 2.0).abs()
    squared = distance < _CLOSEST
    parabola = torch.where(squared, number, 0.0) * (number / 2.0)
    distance, number = torch.where(squared, 1.0, distance), torch.where(squared, 0.0, number)
    growth = log_one_plus_square(number / distance.sqrt())
    power = shape / 2.0 * growth
    small, large = power.abs() < 1e-2, power > 30.0
    near, far = torch.where(small, power, 0.0), torch.where(small | large, 1.0, power)
    divisor = torch.where(shape.abs() < _FLAT, 1.0, shape)  # any: where the shape is so small, every power is
    # Where one is lost beside the power, the distance goes into the exponent: apart, one overflows, the other not.
    beyond = torch.where(large, power + distance.log(), 0.0).exp() / divisor
    around = distance / 2.0 * growth * _expm1_over_itself(near)
    value = torch.where(small, around, torch.where(large, beyond, distance / divisor * expm1(far)))
    return torch.where(squared, parabola, value)


def _expm1_over_itself(number: Tensor) -> Tensor:
    """By its series, exact below a hundredth."""
    series = torch.ones_like(number)
    for divisor in (7.0, 6.0, 5.0, 4.0, 3.0, 2.0):
        series = 1.0 + number / divisor * series
    return series
