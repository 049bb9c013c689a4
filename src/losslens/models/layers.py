"""What networks are made of: chains of layers, side by side or one the mirror of the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from losslens.activations import ACTIVATIONS
from losslens.models.spec import ModelSpec, Normalisation


class Parallel(nn.Module):
    """Paths side by side from one input; their outputs are added."""

    def __init__(self, *paths: nn.Sequential) -> None:
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(self, x: Tensor) -> Tensor:
        """Sum over the paths."""
        total: Tensor = self.paths[0](x)
        for path in self.paths[1:]:
            total = total + path(x)
        return total


class Transposed(nn.Module):
    """A linear layer whose weight is that of another one, transposed; its bias is its own."""

    def __init__(self, source: nn.Linear) -> None:
        super().__init__()
        self.source = (source,)  # in a tuple: the weight belongs to the other layer alone
        self.bias = nn.Parameter(torch.zeros(source.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, outputs of the other layer) -> (batch, inputs of the other layer)."""
        return functional.linear(x, self.source[0].weight.t(), self.bias)


class Shift(nn.Module):
    """Adds a number of its own to every feature."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features) -> the same shape."""
        return x + self.bias


def perceptron(widths: tuple[int, ...], spec: ModelSpec) -> nn.Sequential:
    """Linear layers of the given widths; between them normalisation, activation and dropout, none after the last."""
    return _chained([nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(widths)], widths, spec)


def mirrored(encoder: nn.Sequential, spec: ModelSpec) -> nn.Sequential:
    """The decoder of an encoder, with the same weights transposed."""
    sources = [layer for layer in encoder if isinstance(layer, nn.Linear)][::-1]
    widths = (spec.code, *(source.in_features for source in sources))
    return _chained([Transposed(source) for source in sources], widths, spec)


def _chained(layers: Sequence[nn.Module], widths: tuple[int, ...], spec: ModelSpec) -> nn.Sequential:
    """Layers from width to width, with what stands between them."""
    inner = zip(layers, widths[1:-1], strict=False)  # all but the last
    return nn.Sequential(*(part for layer, width in inner for part in (layer, *_between(width, spec))), layers[-1])


def _between(width: int, spec: ModelSpec, *, spatial: bool = False) -> list[nn.Module]:
    """What stands between two layers of a width, or of so many channels over two dimensions."""
    layers = [*_normalisation(width, spec.normalisation, spatial), ACTIVATIONS[spec.activation].module()]
    return [*layers, nn.Dropout(spec.dropout)] if spec.dropout else layers


def _normalisation(width: int, name: Normalisation, spatial: bool) -> list[nn.Module]:
    if name == "none":
        return []
    if spatial:
        return [nn.BatchNorm2d(width) if name == "batch" else nn.GroupNorm(1, width)]
    return [nn.BatchNorm1d(width) if name == "batch" else nn.LayerNorm(width)]


def convolutional(spec: ModelSpec, codes: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder and decoder of images (channels, height, width), given as flat rows; a series is an image of height one.

    Every hidden layer halves height and width, rounding up, so that any size has its way down and exactly back.
    """
    size, widths = spec.shape[1:], (spec.shape[0], *spec.hidden)
    down: list[nn.Module] = []
    up: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        widen = [nn.Upsample(size), _convolution(fan_out, fan_in, size, halving=False)]
        down += [_convolution(fan_in, fan_out, size, halving=True), *_between(fan_out, spec, spatial=True)]
        up = [*_between(fan_out, spec, spatial=True), *widen, *up]
        size = tuple(-(-side // 2) for side in size)
    small = (widths[-1], *size)
    encoder = [nn.Unflatten(1, spec.shape), *down, nn.Flatten(), nn.Linear(math.prod(small), codes)]
    decoder = [nn.Linear(spec.code, math.prod(small)), nn.Unflatten(1, small), *up, nn.Flatten()]
    return nn.Sequential(*encoder), nn.Sequential(*decoder, Shift(math.prod(spec.shape)))


def _convolution(fan_in: int, fan_out: int, size: tuple[int, ...], *, halving: bool) -> nn.Conv2d:
    """A convolution that keeps or halves the size; along a side of one there is nothing to be halved."""
    (rows, down), (columns, right) = ((1, 1) if side == 1 else (3, 2 if halving else 1) for side in size)
    return nn.Conv2d(fan_in, fan_out, (rows, columns), (down, right), (rows // 2, columns // 2))
