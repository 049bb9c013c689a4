"""Pointwise reconstruction losses: one value per element of output and target."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from losslens.losses.family import POINTWISE, loss
from losslens.losses.special import sloped
from losslens.vocabulary.quantities import Range


@loss(
    POINTWISE,
    candidate=True,
    units="data units squared",
    elicits="mean",
    reference="Gauss, Theoria combinationis observationum, 1821",
    use="When the mean is wanted, and errors are of about one size over features and samples.",
    failure="Large errors dominate: a few outliers, or the features that vary most, decide the fit.",
    torch_line="torch.nn.MSELoss()",
)
def mse(output: Tensor, target: Tensor) -> Tensor:
    r"""Squared error: elicits the mean, and lets large errors dominate.

    .. math:: (\hat x - x)^2

    Shapes: output and target alike, any. Raises :class:`BadInput` on unequal shapes.

    >>> losslens.mse(torch.tensor([3.0, 0.0]), torch.tensor([1.0, 0.0]))
    tensor(2.)
    """
    return functional.mse_loss(output, target, reduction="none")


@loss(
    POINTWISE,
    candidate=True,
    units="data units",
    elicits="median",
    smoothness="C0",
    reference="Laplace, Memoire sur la probabilite des causes, 1774",
    use="When outliers are to pull no harder than other errors, and the median is a sensible answer.",
    failure="On mostly zero data it predicts zeros, their median; its pull does not fade near the target.",
    torch_line="torch.nn.L1Loss()",
)
def mae(output: Tensor, target: Tensor) -> Tensor:
    r"""Absolute error: elicits the median; every error pulls equally, so outliers do not dominate.

    .. math:: |\hat x - x|

    Shapes: output and target alike, any. On data that are mostly zero the median is zero.

    >>> losslens.mae(torch.tensor([3.0, 0.0]), torch.tensor([1.0, 0.0]))
    tensor(1.)
    """
    return functional.l1_loss(output, target, reduction="none")


@loss(
    POINTWISE,
    candidate=True,
    units="data units",
    elicits="between mean and median",
    smoothness="C1",
    reference="Girshick, Fast R-CNN, ICCV 2015",
    use="When an absolute error is wanted whose gradient fades near the target, as for bounding boxes.",
    failure="The gradient of errors below beta shrinks as beta grows: choose it in units of the noise.",
    torch_line="torch.nn.SmoothL1Loss(beta={beta:g})",
)
def smooth_l1(output: Tensor, target: Tensor, *, beta: Annotated[float, Range(1e-2, 1e2, log=True)] = 1.0) -> Tensor:
    r"""Squared error over twice beta for small errors, absolute error beyond beta.

    .. math:: r^2 / 2\beta \text{ if } |r| < \beta \text{ else } |r| - \beta/2, \qquad r = \hat x - x

    Tends to the absolute error as ``beta`` falls. Equals ``huber(delta=beta) / beta``.

    >>> losslens.smooth_l1(torch.tensor([3.0, 0.5]), torch.zeros(2), reduction="none")
    tensor([2.5000, 0.1250])
    """
    return functional.smooth_l1_loss(output, target, reduction="none", beta=beta)


@loss(
    POINTWISE,
    candidate=True,
    units="data units squared",
    elicits="between mean and median",
    smoothness="C1",
    reference="Huber, Annals of Mathematical Statistics 35, 1964",
    use="For sparse outliers in otherwise regular noise, with a delta of about 1.345 standard deviations of it.",
    failure="With delta far above the errors it is half the mse, far below them a small multiple of the mae.",
    torch_line="torch.nn.HuberLoss(delta={delta:g})",
)
def huber(output: Tensor, target: Tensor, *, delta: Annotated[float, Range(1e-2, 1e2, log=True)] = 1.0) -> Tensor:
    r"""Half the squared error up to ``delta``, linear beyond: the convex answer to sparse outliers.

    .. math:: r^2/2 \text{ if } |r| < \delta \text{ else } \delta(|r| - \delta/2), \qquad r = \hat x - x

    Tends to half the squared error as ``delta`` grows; choose it in units of the noise.

    >>> losslens.huber(torch.tensor([3.0, 0.5]), torch.zeros(2), reduction="none", delta=2.0)
    tensor([4.0000, 0.1250])
    """
    return functional.huber_loss(output, target, reduction="none", delta=delta)


@loss(
    POINTWISE,
    candidate=True,
    units="data units",
    elicits="between mean and median",
    reference="Green, IEEE Transactions on Medical Imaging 9, 1990",
    use="For a smooth robust loss without a parameter, on data whose noise is of about size one.",
    failure="Its bend is fixed at about one data unit: on data of another scale it is merely an mse or an mae.",
    torch_line="lambda output, target: (output - target).cosh().log().mean()",
)
def log_cosh(output: Tensor, target: Tensor) -> Tensor:
    r"""Logarithm of the hyperbolic cosine of the error: smooth everywhere, without a parameter.

    .. math:: \log\cosh(\hat x - x)

    Half the squared error near zero, ``|r| - log 2`` far away; exact in both regimes.

    >>> losslens.log_cosh(torch.tensor([1e-3, 100.0]), torch.zeros(2), reduction="none")
    tensor([5.0000e-07, 9.9307e+01])
    """
    error = output - target
    size = error.abs()
    near = torch.where(size < 1.0, error, 0.0)
    far = size + functional.softplus(-2.0 * size) - math.log(2.0)
    return torch.where(size < 1.0, torch.log1p(2.0 * torch.sinh(near / 2.0).square()), far)


@loss(
    POINTWISE,
    candidate=True,
    units="mixed: data units and data units squared",
    elicits="between mean and median",
    smoothness="C0",
    reference="the elastic combination of absolute and squared error",
    use="When large errors are to count as in mse, and small ones are still to be pulled to zero.",
    failure="Its two parts have different units: another scale of the data changes their shares.",
    torch_line="lambda output, target: {mix:g} * torch.nn.functional.l1_loss(output, target)"
    " + {rest:g} * torch.nn.functional.mse_loss(output, target)",
)
def l1_plus_l2(output: Tensor, target: Tensor, *, mix: Annotated[float, Range(0.0, 1.0)] = 0.5) -> Tensor:
    r"""A mixture of absolute and squared error in declared shares.

    .. math:: m\,|\hat x - x| + (1 - m)\,(\hat x - x)^2

    ``mix`` is the share m of the absolute error: 0 gives mse, 1 gives mae.

    >>> losslens.l1_plus_l2(torch.tensor([2.0]), torch.zeros(1))
    tensor(3.)
    """
    size = (output - target).abs()
    return size * (mix + (1.0 - mix) * size)


RADIUS = 1e-3  # of lp: errors below it have a gradient that falls to zero


@loss(
    POINTWISE,
    units="data units to the power p",
    elicits="between mean and median",
    smoothness="C1",
    reference="Rice and White, SIAM Review 6, 1964",
    use="For exponents other than 1 and 2: higher for the worst errors, below 1 for exact hits.",
    failure="Below 1 it is not convex and gives up on large errors; far above 2 outliers rule.",
    torch_line="lambda output, target: ((output - target).abs()**{p:g}).mean()",
)
def lp(output: Tensor, target: Tensor, *, p: Annotated[float, Range(0.1, 10.0, log=True)] = 1.5) -> Tensor:
    r"""A power of the absolute error: 2 is squared, 1 absolute, below 1 fractional and not convex.

    .. math:: |\hat x - x|^p

    Shapes: output and target alike, any. Below p = 1 the derivative is infinite at zero; for errors under 0.001
    the gradient given is that of the parabola with the same slope at 0.001, so that it falls to zero with the error.
    A fractional power rewards exact hits and gives up on the rest.

    >>> losslens.lp(torch.tensor([4.0]), torch.tensor([0.0]), p=0.5)
    tensor(2.)
    """
    size = (output - target).abs()
    if p >= 1.0:
        return size**p
    inside = size < RADIUS
    parabola = p / 2.0 * RADIUS ** (p - 2.0) * size.square()
    return torch.where(inside, sloped(size**p, parabola), torch.where(inside, RADIUS, size) ** p)
