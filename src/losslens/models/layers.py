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
    layers = [nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(widths)]
    return _joined([[layer] for layer in layers], [_between(width, spec) for width in widths[1:-1]])


def mirrored(encoder: nn.Sequential, spec: ModelSpec) -> nn.Sequential:
    """The decoder of an encoder, with the same weights transposed."""
    sources = [layer for layer in encoder if isinstance(layer, nn.Linear)][::-1]
    between = [_between(source.in_features, spec) for source in sources[:-1]]
    return _joined([[Transposed(source)] for source in sources], between)


def _joined(layers: Sequence[list[nn.Module]], between: Sequence[list[nn.Module]]) -> nn.Sequential:
    """Layers with what stands between them."""
    last = len(layers) - 1
    return nn.Sequential(*(part for n, own in enumerate(layers) for part in (*own, *(between[n] if n < last else ()))))


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
    channels, height, width = spec.shape
    sizes = [(height, width)]
    for _ in spec.hidden:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    widths = (channels, *spec.hidden)
    small = (widths[-1], *sizes[-1])
    down: list[list[nn.Module]] = [
        [_convolution(*pair, at, halving=True)] for pair, at in zip(pairwise(widths), sizes, strict=False)
    ]
    up = [
        [nn.Upsample(at), _convolution(*pair, at, halving=False)]
        for pair, at in zip(pairwise(widths[::-1]), sizes[-2::-1], strict=True)
    ]
    spread = [nn.Linear(spec.code, math.prod(small)), nn.Unflatten(1, small), *_between(small[0], spec, spatial=True)]
    encoder = [*_joined(down, [_between(each, spec, spatial=True) for each in widths[1:-1]])]
    encoder += [*_between(widths[-1], spec, spatial=True), nn.Flatten(), nn.Linear(math.prod(small), codes)]
    decoder = [*spread, *_joined(up, [_between(each, spec, spatial=True) for each in widths[-2:0:-1]])]
    features = math.prod(spec.shape)
    return nn.Sequential(nn.Unflatten(1, spec.shape), *encoder), nn.Sequential(*decoder, nn.Flatten(), Shift(features))


def _convolution(fan_in: int, fan_out: int, size: tuple[int, int], *, halving: bool) -> nn.Conv2d:
    """A convolution that keeps or halves the size; along a side of one there is nothing to be halved."""
    (rows, down), (columns, right) = ((1, 1) if side == 1 else (3, 2 if halving else 1) for side in size)
    return nn.Conv2d(fan_in, fan_out, (rows, columns), (down, right), (rows // 2, columns // 2))
