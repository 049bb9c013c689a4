"""Autoencoders and the closed-form baselines, all with one face: ``encode``, ``decode``, ``forward``."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from losslens.activations import ACTIVATIONS
from losslens.models.spec import ModelSpec


class Outputs(NamedTuple):
    """What a model gives for a batch: the code (batch, code) and the raw output (batch, features)."""

    code: Tensor
    output: Tensor


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


class Autoencoder(nn.Module):
    """Encoder and decoder around a code; inputs are centred by the training mean before the encoder.

    >>> model = Autoencoder.build(ModelSpec(hidden=(16,), code=4), features=10)
    >>> [tuple(part.shape) for part in model(torch.zeros(3, 10))]
    [(3, 4), (3, 10)]
    """

    center: Tensor

    def __init__(self, encoder: Parallel, decoder: Parallel, center: Tensor) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("center", center)

    @classmethod
    def build(cls, spec: ModelSpec, features: int) -> Autoencoder:
        """The network of a spec with random initial weights and a centre of zero."""
        widths = (features, *spec.hidden, spec.code)
        encoder, decoder = [], []
        if spec.kind in ("autoencoder", "pca_path"):
            encoder.append(perceptron(widths, spec.activation))
            decoder.append(perceptron(widths[::-1], spec.activation))
        if spec.kind in ("pca_path", "pca"):
            encoder.append(nn.Sequential(nn.Linear(features, spec.code, bias=False)))
            decoder.append(nn.Sequential(nn.Linear(spec.code, features)))
        return cls(Parallel(*encoder), Parallel(*decoder), torch.zeros(features))

    def encode(self, x: Tensor) -> Tensor:
        """(batch, features) -> (batch, code)."""
        return self.encoder(x - self.center)  # type: ignore[no-any-return]

    def decode(self, code: Tensor) -> Tensor:
        """(batch, code) -> (batch, features), before the output activation."""
        return self.decoder(code)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Outputs:
        """Code and raw output of a batch."""
        code = self.encode(x)
        return Outputs(code, self.decode(code))


class Constant(nn.Module):
    """The same output for every input; its code is empty."""

    profile: Tensor

    def __init__(self, profile: Tensor) -> None:
        super().__init__()
        self.register_buffer("profile", profile)

    def forward(self, x: Tensor) -> Outputs:
        """(batch, features) -> an empty code and the profile repeated."""
        return Outputs(x.new_empty(len(x), 0), self.profile.expand_as(x))


def perceptron(widths: tuple[int, ...], activation: str) -> nn.Sequential:
    """Linear layers of the given widths with an activation between them, none after the last."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), ACTIVATIONS[activation].module()]
    return nn.Sequential(*layers[:-1])


def build(spec: ModelSpec, features: int) -> nn.Module:
    """The module of any spec, ready to be started or to have saved weights loaded."""
    if spec.kind in ("mean_profile", "zeros"):
        return Constant(torch.zeros(features))
    return Autoencoder.build(spec, features)


def last_linear(path: nn.Sequential) -> nn.Linear:
    """The output layer of a path."""
    layer = path[-1]
    assert isinstance(layer, nn.Linear)
    return layer


@torch.no_grad()
def start(model: nn.Module, spec: ModelSpec, mean: Tensor, output_mean: Tensor, components: Tensor | None) -> None:
    """Set what training data decide before the first step.

    ``mean`` is the training mean profile, ``output_mean`` what the raw output must be for the reconstruction
    to be that mean, ``components`` the principal axes (code, features) for models that have a linear path.
    """
    if isinstance(model, Constant):
        model.profile.copy_(mean if spec.kind == "mean_profile" else torch.zeros_like(mean))
        return
    assert isinstance(model, Autoencoder)
    model.center.copy_(mean)
    encoder, decoder = model.encoder.paths, model.decoder.paths
    last_linear(decoder[-1]).bias.copy_(output_mean)  # type: ignore[arg-type]
    if components is None:
        return
    if spec.kind == "pca_path":
        for path in (encoder[0], decoder[0]):
            nn.init.zeros_(last_linear(path).weight)  # type: ignore[arg-type]
            nn.init.zeros_(last_linear(path).bias)  # type: ignore[arg-type]
    last_linear(encoder[-1]).weight.copy_(components)  # type: ignore[arg-type]
    last_linear(decoder[-1]).weight.copy_(components.T)  # type: ignore[arg-type]
