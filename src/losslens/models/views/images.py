"""Views of images (batch, channels, height, width) with values in [0, 1], of any number of channels and any size.

Hue and saturation are those of three channels, red, green and blue; all else holds for any number.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from losslens.models.views.entry import uniform, view
from losslens.vocabulary.quantities import Range

_SIMCLR = "Chen, Kornblith, Norouzi and Hinton, ICML 2020"
_TRIES = 10  # boxes drawn for each sample, of which the first that lies within the image is taken
_RED_GREEN_BLUE = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601


@view(
    kind="image",
    aliases=("random_resized_crop",),
    use="The most telling view of photographs: parts of a thing are the thing.",
    failure="Where a part is something else: a small part of a digit or of a field of cells. Raise least.",
    reference=f"Szegedy et al., CVPR 2015; {_SIMCLR}, with parts from 0.08 on and cubic interpolation; from 0.2 on in "
    "MoCo and SimSiam",
)
def crop(
    batch: Tensor,
    generator: torch.Generator,
    *,
    least: Annotated[float, Range(0.01, 1.0)] = 0.2,
    ratio: Annotated[float, Range(1.0, 4.0)] = 4 / 3,
) -> Tensor:
    """A random box of the image, of at least the share ``least`` of its area, stretched to the whole size.

    Its width over its height, in those of the image, is at most ``ratio`` and at least one over it.
    """
    shape = (len(batch), _TRIES)
    area = least + (1.0 - least) * torch.rand(shape, generator=generator)
    aspect = torch.exp((2.0 * torch.rand(shape, generator=generator) - 1.0) * math.log(ratio))
    sides = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], 2)
    first = (sides <= 1.0).all(2).int().argmax(1)
    side = sides[torch.arange(len(batch)), first].clamp(max=1.0)
    return resampled(batch, side, (1.0 - side) * (2.0 * torch.rand(len(batch), 2, generator=generator) - 1.0))


def resampled(batch: Tensor, side: Tensor, centre: Tensor) -> Tensor:
    """Boxes of images (batch, channels, height, width), interpolated linearly at as many points as these have.

    Shapes: ``side`` (batch, 2), shares of width and height; ``centre`` (batch, 2), across and down from -1 to 1.
    """
    scaled = torch.cat([torch.diag_embed(side), centre.unsqueeze(2)], 2).to(batch)
    grid = functional.affine_grid(scaled, list(batch.shape), align_corners=False)
    return functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)


@view(
    kind="image",
    probability=0.5,
    aliases=("horizontal_flip",),
    use="Where left and right mean nothing: photographs, cells.",
    failure="Letters and digits, whose mirror images are others or none.",
    reference=_SIMCLR,
)
def flip(batch: Tensor, generator: torch.Generator) -> Tensor:
    """The image is mirrored, left to right."""
    return batch.flip(3)


@view(
    kind="image",
    probability=0.8,
    aliases=("color_jitter", "jitter"),
    use="Crops of one photograph share their colours, by which alone they could be told; this takes that away.",
    failure="Where the colour or the intensity is what samples differ in, as stains and markers do.",
    reference=f"{_SIMCLR}, whose code draws the order too; strength 0.5 is theirs for small images, 1 for large ones",
)
def colour_jitter(
    batch: Tensor,
    generator: torch.Generator,
    *,
    strength: Annotated[float, Range(0.0, 1.0)] = 0.5,
    brightness: Annotated[float, Range(0.0, 1.0)] = 0.8,
    contrast: Annotated[float, Range(0.0, 1.0)] = 0.8,
    saturation: Annotated[float, Range(0.0, 1.0)] = 0.8,
    hue: Annotated[float, Range(0.0, 0.5)] = 0.2,
) -> Tensor:
    """Brightness, contrast, saturation and hue change, in this order, each by up to ``strength`` times its option.

    The first three are factors around one, hue is a part of the circle. The last two need three channels.
    """
    bright, contrasted, saturated = (
        uniform(batch, generator, 1.0 - strength * each, 1.0 + strength * each)
        for each in (brightness, contrast, saturation)
    )
    shift = uniform(batch, generator, -strength * hue, strength * hue)
    seen = (batch * bright).clamp(0.0, 1.0)
    seen = _blended(seen, _luma(seen).mean((2, 3), keepdim=True), contrasted)
    if batch.shape[1] != len(_RED_GREEN_BLUE):
        return seen
    return hue_shifted(_blended(seen, _luma(seen), saturated), shift)


def _blended(batch: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (other + factor * (batch - other)).clamp(0.0, 1.0)


def _luma(batch: Tensor) -> Tensor:
    """The brightness that is seen, of red, green and blue; of other channels their mean."""
    if batch.shape[1] != len(_RED_GREEN_BLUE):
        return batch.mean(1, keepdim=True)
    return (batch * batch.new_tensor(_RED_GREEN_BLUE).view(-1, 1, 1)).sum(1, keepdim=True)


def hue_shifted(batch: Tensor, shift: Tensor) -> Tensor:
    """Images (batch, 3, height, width) whose hue is moved by a part of the circle, value and saturation kept."""
    value = batch.amax(1, keepdim=True)
    chroma = value - batch.amin(1, keepdim=True)
    red, green, blue = (batch[:, channel : channel + 1] for channel in range(3))
    whole = torch.where(chroma > 0, chroma, 1.0)
    sixths = torch.where(value == green, (blue - red) / whole + 2.0, (red - green) / whole + 4.0)
    sixths = torch.where(value == red, (green - blue) / whole, sixths) + 6.0 * shift
    place = (sixths + batch.new_tensor([5.0, 3.0, 1.0]).view(-1, 1, 1)) % 6.0
    return value - chroma * torch.minimum(place, 4.0 - place).clamp(0.0, 1.0)


@view(
    kind="image",
    probability=0.2,
    aliases=("greyscale", "gray"),
    use="Beside colour jitter, so that shape counts at times alone.",
    failure="Where channels are no colours but markers: their mean is no image of anything.",
    reference=_SIMCLR,
)
def grayscale(batch: Tensor, generator: torch.Generator) -> Tensor:
    """All channels become the brightness that is seen: 0.299 red, 0.587 green, 0.114 blue; of others their mean."""
    return _luma(batch).expand(batch.shape)


@view(
    kind="image",
    probability=0.5,
    aliases=("gaussian_blur",),
    use="Large images, whose fine grain should not decide.",
    failure="Images of few pixels, in which the grain is all there is; the authors leave it out there.",
    reference=f"{_SIMCLR}, with up to 2 pixels for images of 224, cut off at a twentieth of the side",
)
def blur(
    batch: Tensor, generator: torch.Generator, *, sigma: Annotated[float, Range(0.1, 20.0, log=True)] = 1.0
) -> Tensor:
    """Each pixel becomes a Gaussian mean around it, its deviation between 0.1 and ``sigma`` pixels.

    At the edge the weights are those of the pixels there are.
    """
    deviation = uniform(batch, generator, 0.1, sigma)
    down, across = (_gaussian_weights(size, deviation) for size in batch.shape[2:])
    return (down @ batch @ across.mT).clamp(0.0, 1.0)


def _gaussian_weights(size: int, deviation: Tensor) -> Tensor:
    place = torch.arange(size, device=deviation.device, dtype=deviation.dtype)
    return torch.softmax(-0.5 * ((place - place.unsqueeze(1)) / deviation).square(), 3)
