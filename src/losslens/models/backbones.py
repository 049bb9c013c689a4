"""Backbones of self-supervised methods: perceptrons for profiles, residual networks for images and series."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from losslens.activations import ACTIVATIONS
from losslens.models.autoencoders import Outputs, build
from losslens.models.layers import perceptron
from losslens.models.spec import ModelSpec

_STEM = {1: 7, 2: 3}  # kernel of the first convolution by dimensions: a series is sampled more finely than an image
_CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d}
_NORMALISATION = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
_POOLING = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d}


class Encoder(nn.Module):
    """A backbone with a linear reader of its code; inputs are centred by the training mean before the backbone.

    The reader is fitted in closed form when the backbone is trained: what a linear map can tell of a profile from its
    code, so that codes without a decoder have a reconstruction too.

    >>> spec = ModelSpec(kind="encoder", architecture="residual", hidden=(4,), code=8, shape=(1, 6, 6))
    >>> [tuple(part.shape) for part in Encoder(spec, features=36)(torch.zeros(2, 36))[:2]]
    [(2, 8), (2, 36)]
    """

    center: Tensor
    variational = False

    def __init__(self, spec: ModelSpec, features: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(features))
        self.backbone = backbone(spec, features)
        self.reader = nn.Linear(spec.code, features)

    def encode(self, x: Tensor) -> Tensor:
        """(batch, features) -> (batch, code)."""
        return self.backbone(x - self.center)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Outputs:
        """Code and its linear reading."""
        code = self.encode(x)
        return Outputs(code, self.reader(code))


class Unchanged(nn.Module):
    """The features themselves as a code."""

    def forward(self, x: Tensor) -> Outputs:
        """(batch, features) -> the same, twice."""
        return Outputs(x, x)


def module_of(spec: ModelSpec, features: int) -> nn.Module:
    """The module of any spec, autoencoders and baselines included, ready to have saved weights loaded."""
    if spec.kind in ("encoder", "random_encoder"):
        return Encoder(spec, features)
    return Unchanged() if spec.kind == "raw_features" else build(spec, features)


def backbone(spec: ModelSpec, features: int) -> nn.Sequential:
    """The network of a spec from flat rows (batch, features) to codes (batch, code)."""
    if spec.architecture == "residual":
        return residual(spec)
    return perceptron((features, *spec.hidden, spec.code), spec)


def residual(spec: ModelSpec) -> nn.Sequential:
    """A residual network with the stem of small images, which keeps the size.

    Each stage but the first halves it. Stages are as wide as ``hidden`` says, the last as the code, which is its mean
    over all places.

    Shapes: rows of channels, height and width, flat; a series is an image of height one. Each block starts as its
    shortcut (its last scale is zero), and shortcuts that change the width are projections with normalisation. First
    weights are PyTorch's, not those of the paper. Source: He, Zhang, Ren and Sun, CVPR 2016.
    """
    channels, dimensions, widths = spec.grid[0], len(spec.grid) - 1, (*spec.hidden, spec.code)
    kernel = _STEM[dimensions]
    stem = _CONVOLUTION[dimensions](channels, widths[0], kernel, padding=kernel // 2, bias=False)
    layers = [
        nn.Unflatten(1, spec.grid),
        stem,
        _NORMALISATION[dimensions](widths[0]),
        ACTIVATIONS[spec.activation].module(),
    ]
    for place, (fan_in, fan_out) in enumerate(pairwise((widths[0], *widths))):
        steps = [2 if place else 1, *[1] * (spec.blocks - 1)]
        ins = [fan_in, *[fan_out] * (spec.blocks - 1)]
        layers += [Block(i, fan_out, step, dimensions, spec.activation) for i, step in zip(ins, steps, strict=True)]
    return nn.Sequential(*layers, _POOLING[dimensions](1), nn.Flatten())


class Block(nn.Module):
    """Two convolutions beside a shortcut, which is a projection where width or size change."""

    def __init__(self, fan_in: int, fan_out: int, step: int, dimensions: int, activation: str) -> None:
        super().__init__()
        convolution, normalisation = _CONVOLUTION[dimensions], _NORMALISATION[dimensions]
        last = normalisation(fan_out)
        nn.init.zeros_(last.weight)
        self.path = nn.Sequential(
            convolution(fan_in, fan_out, 3, step, 1, bias=False),
            normalisation(fan_out),
            ACTIVATIONS[activation].module(),
            convolution(fan_out, fan_out, 3, 1, 1, bias=False),
            last,
        )
        changes = step != 1 or fan_in != fan_out
        projection = nn.Sequential(convolution(fan_in, fan_out, 1, step, bias=False), normalisation(fan_out))
        self.shortcut = projection if changes else nn.Identity()
        self.activation = ACTIVATIONS[activation].module()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, places) -> (batch, channels, places)."""
        return self.activation(self.path(x) + self.shortcut(x))  # type: ignore[no-any-return]
