"""Losses between images, given as rows of pixels or as (batch, channels, height, width).

What windows of an image have in common with those of another is measured by their means and variances. These are
gathered one place of the windows after the other, first along the height, then along the width: as fast as a
separable convolution, and without the difference of two large sums that loses the variance of a bright window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from losslens.losses.family import Argument, Family, loss, mean_of_values
from losslens.losses.profile import present
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Choice, Domain, Range

Shape = tuple[int, int, int]  # channels, height, width
_LEAST = 1e-30  # of a sum of squares, the largest of which is about one: quotients and their slopes stay in range


def _misfit(features: int) -> str:
    """What a row of that many features lacks of an image whose sides nobody gave."""
    return "" if math.isqrt(features) ** 2 == features else f"square images, and {features} is not a square number"


_SHAPE = "batch features | batch channels height width"
IMAGE = Family(
    "image",
    "sample",
    (Argument("output", _SHAPE), Argument("target", _SHAPE, target=True)),
    mean_of_values,
    masks="features",
    reconstructs=True,
    misfit=_misfit,
)


@loss(
    IMAGE,
    units="1 (dimensionless, 0 to 2)",
    elicits="mean at the contrast of single images",
    domain=Domain.NON_NEGATIVE,
    convex=False,
    use="For pictures whose structure, contrast and brightness in small windows matter more than single pixels.",
    failure="Not convex; it needs the right data_range, and outputs below zero can make a negative look good.",
    reference="Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 13(4), 2004",
    torch_line="lambda output, target: (lambda x, y, mean, a, b: 1 - ((2 * mean(x) * mean(y) + a)"
    " / (mean(x)**2 + mean(y)**2 + a) * (2 * (mean(x * y) - mean(x) * mean(y)) + b)"
    " / (mean(x * x) - mean(x)**2 + mean(y * y) - mean(y)**2 + b)).mean())("
    "*(rows.unflatten(1, (1, int(rows.shape[1]**0.5), -1)) for rows in (output, target)),"
    " lambda z: (lambda g: torch.nn.functional.conv2d(z, g.outer(g)[None, None] / g.sum()**2))("
    "torch.signal.windows.gaussian(min({window:g}, (z.shape[-1] - 1) | 1), std={sigma:g},"
    " dtype=z.dtype, device=z.device)), (0.01 * {data_range:g})**2, (0.03 * {data_range:g})**2)",
)
def ssim(
    output: Tensor,
    target: Tensor,
    *,
    mask: Tensor | None = None,
    channels: int = 0,
    height: int = 0,
    width: int = 0,
    window: Annotated[int, Choice((3, 5, 7, 9, 11))] = 11,
    sigma: Annotated[float, Range(0.5, 10.0)] = 1.5,
    data_range: Annotated[float, Range(1e-6, 1e6, log=True)] = 1.0,
) -> Tensor:
    r"""One minus the structural similarity: windows are to agree in brightness, contrast and pattern.

    .. math:: 1 - \operatorname{mean} \frac{(2 \mu_{\hat x} \mu_x + C_1)(2 \sigma_{\hat x x} + C_2)}
                       {(\mu_{\hat x}^2 + \mu_x^2 + C_1)(\sigma_{\hat x}^2 + \sigma_x^2 + C_2)},
              \qquad C_1 = (0.01 R)^2, \; C_2 = (0.03 R)^2

    Shapes: (batch, features) or (batch, channels, height, width) twice -> (batch,). A row holds an image of
    ``channels`` by ``height`` by ``width`` pixels, in this order; without them it is a square grey one. Raises BadInput
    where the numbers do not fit. Moments are those of windows that lie within the image, of ``window`` by ``window``
    pixels with Gaussian weights of standard deviation ``sigma``; along a side that is shorter, of the largest odd
    number that fits. Windows and channels are averaged.

    R is ``data_range``, what pixels may differ by: 1 for images in [0, 1], 255 for bytes. It sets how much contrast is
    noise. Far below R the loss is quadratic and elicits the mean; around it a blurred image costs more than one
    with the contrast of the data. Far beyond R the constants vanish, and only ratios count.
    With outputs below zero both factors may turn negative and the negative of an image may look good: let
    them be non-negative, or start there.

    Pixels that a mask hides are left out of the moments; a window counts by the share of its weight that is present.
    Equal images cost exactly 0. Beside one 1e15 times as large, and as far beyond R, a pixel counts as zero.

    >>> bright, dark = torch.full((1, 64), 0.8), torch.full((1, 64), 0.4)
    >>> losslens.ssim(dark, bright)
    tensor(0.2000)
    >>> losslens.ssim(torch.eye(8)[None, None], torch.eye(8).flip(0)[None, None])
    tensor(1.2201)
    """
    shape = _shape(output, (channels, height, width))
    one, other = (_precise(present(pixels, mask)).reshape(-1, *shape) for pixels in (output, target))
    first, second = 0.01 * data_range, 0.03 * data_range  # roots of the two constants
    size = torch.maximum(_largest(one), _largest(other)).clamp_min(first)
    images = torch.stack([one + other, one - other]) / size
    seen = images.new_ones(shape[1:]) if mask is None else mask.reshape(-1, *shape).to(images.dtype)
    windows = _windows(images, seen, [_weights(side, window, sigma) for side in shape[1:]])
    luminance = _unlike(windows.mean.square(), first / size)
    structure = _unlike(windows.variance, second / size)
    values = luminance + structure - luminance * structure
    return _mean(values, windows.share).to(output.dtype)


class _Moments(NamedTuple):
    """Of some places of images: the weight that is present, mean and variance under it."""

    share: Tensor
    mean: Tensor
    variance: Tensor


def _shape(images: Tensor, given: Shape) -> Shape:
    """Channels, height and width: those given, or else those of the tensor, or of a square grey image."""
    pixels = math.prod(images.shape[1:])
    side = math.isqrt(pixels // max(given[0], 1))
    own = tuple(images.shape[1:]) if images.dim() == 4 else (1, side, side)
    channels, height, width = shape = tuple(asked or size for asked, size in zip(given, own, strict=True))
    if min(shape) < 1 or channels * height * width != pixels or (images.dim() == 4 and shape != own):
        raise BadInput(
            expected=f"images of {channels} x {height} x {width} pixels (channels, height, width) for ssim",
            found=f"rows of shape {tuple(images.shape[1:])}",
            remedy="Pass channels=, height= and width=, whose product is the number of features.",
        )
    return channels, height, width


def _precise(pixels: Tensor) -> Tensor:
    return pixels.to(torch.promote_types(pixels.dtype, torch.float32))


def _largest(images: Tensor) -> Tensor:
    return images.detach().abs().amax((1, 2, 3), keepdim=True)


def _weights(side: int, window: int, sigma: float) -> list[float]:
    """Of a Gaussian window, or of the largest odd one that fits along the side; their sum does not matter."""
    size = min(int(window), (side - 1) | 1)
    return [math.exp(-(((place - size // 2) / sigma) ** 2) / 2.0) for place in range(size)]


def _windows(images: Tensor, seen: Tensor, weights: Sequence[list[float]]) -> _Moments:
    """Moments of all windows: (..., height, width) -> (..., rows of windows, windows in a row)."""
    pixels = _Moments(seen, images, images.new_zeros(()).expand_as(images))
    return _gathered(_gathered(pixels, weights[0], -2), weights[1], -1)


def _gathered(parts: _Moments, weights: list[float], dim: int) -> _Moments:
    """Moments of windows along a dimension; the parts they are made of join them one after the other (West, 1979)."""
    number = parts.mean.shape[dim] - len(weights) + 1
    share, mean, variance = (torch.zeros_like(moment.narrow(dim, 0, number)) for moment in parts)
    for place, weight in enumerate(weights):
        new = _Moments(*(moment.narrow(dim, place, number) for moment in parts))
        share = share + weight * new.share
        part = weight * new.share / torch.where(share == 0.0, 1.0, share)
        apart = new.mean - mean
        variance = torch.lerp(variance, new.variance + (1.0 - part) * apart.square(), part)
        mean = torch.lerp(mean, new.mean, part)
    return _Moments(share, mean, variance)


def _unlike(squares: Tensor, constant: Tensor) -> Tensor:
    """One minus a factor of the similarity, exact near zero: from squares of the images' sum and of their difference.

    With u = x + y and v = x - y it is ``1 - (2xy + c^2) / (x^2 + y^2 + c^2) = 2v^2 / (u^2 + v^2 + 2c^2)``.
    """
    total, apart = squares.unbind()
    return 2.0 * apart / (total + apart + 2.0 * constant.square().clamp_min(_LEAST))


def _mean(values: Tensor, share: Tensor) -> Tensor:
    """Over channels and windows, each by what is present of it; zero of an image of which nothing is."""
    share = share.expand_as(values)
    whole = share.sum((1, 2, 3))
    return (share * values).sum((1, 2, 3)) / torch.where(whole == 0.0, 1.0, whole)
