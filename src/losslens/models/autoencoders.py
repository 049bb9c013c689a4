"""Autoencoders and the closed-form baselines, all with one face: ``encode``, ``decode``, ``forward``."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from losslens.activations import ACTIVATIONS
from losslens.models.layers import Parallel, convolutional, mirrored, perceptron
from losslens.models.spec import ModelSpec


class Outputs(NamedTuple):
    """What a model gives for a batch, by name: terms of an objective take what they need.

    The code (batch, code) and the raw output (batch, features); of variational models the posterior's mean and
    log-variance; the inputs, where a term asks how the code depends on them.
    """

    code: Tensor
    output: Tensor
    mean: Tensor | None = None
    log_variance: Tensor | None = None
    inputs: Tensor | None = None


class Autoencoder(nn.Module):
    """Encoder and decoder around a code; inputs are centred by the training mean before the encoder.

    >>> model = Autoencoder.build(ModelSpec(hidden=(16,), code=4), features=10)
    >>> [tuple(part.shape) for part in model(torch.zeros(3, 10))[:2]]
    [(3, 4), (3, 10)]
    """

    center: Tensor

    def __init__(self, encoder: Parallel, decoder: Parallel, spec: ModelSpec, center: Tensor) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.variational, self.reads_code = spec.variational, spec.reads_code
        self.squash = ACTIVATIONS[spec.code_activation].module()
        self.register_buffer("center", center)

    @classmethod
    def build(cls, spec: ModelSpec, features: int) -> Autoencoder:
        """The network of a spec with random initial weights and a centre of zero."""
        paths = [] if spec.kind == "pca" else [_network(spec, features)]
        if spec.linear_path or spec.kind == "pca":
            down, up = nn.Linear(features, spec.code, bias=False), nn.Linear(spec.code, features)
            paths.append((nn.Sequential(down), nn.Sequential(up)))
        encoders, decoders = zip(*paths, strict=True)
        return cls(Parallel(*encoders), Parallel(*decoders), spec, torch.zeros(features))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and, of variational models, log-variance of the code: (batch, features) -> (batch, code) each."""
        encoded = self.encoder(x - self.center)
        if not self.variational:
            return self.squash(encoded), None
        mean, log_variance = encoded.chunk(2, 1)
        return mean, log_variance.clamp_max(_WIDEST)

    def encode(self, x: Tensor) -> Tensor:
        """(batch, features) -> (batch, code)."""
        return self.posterior(x)[0]

    def decode(self, code: Tensor) -> Tensor:
        """(batch, code) -> (batch, features), before the output activation."""
        return self.decoder(code)  # type: ignore[no-any-return]

    def forward(self, x: Tensor, noise: torch.Generator | None = None) -> Outputs:
        """Code and raw output of a batch; ``noise`` draws the code of a variational model, else it is the mean."""
        mean, log_variance = self.posterior(x)
        code = mean
        if log_variance is not None and noise is not None:
            code = mean + standard_normal(mean, noise) * (log_variance / 2.0).exp()
        return Outputs(code, self.decode(code.detach() if self.reads_code else code), mean, log_variance)


_WIDEST = 20.0  # an untrained encoder must not overflow the exponential


def standard_normal(like: Tensor, noise: torch.Generator) -> Tensor:
    """Standard normal numbers, as many as there are in a tensor; drawn on the CPU, so alike on every device."""
    return torch.randn(like.shape, generator=noise, dtype=like.dtype).to(like.device)


class Constant(nn.Module):
    """The same output for every input; its code is empty."""

    profile: Tensor

    def __init__(self, profile: Tensor) -> None:
        super().__init__()
        self.register_buffer("profile", profile)

    def forward(self, x: Tensor) -> Outputs:
        """(batch, features) -> an empty code and the profile repeated."""
        return Outputs(x.new_empty(len(x), 0), self.profile.expand_as(x))


def _network(spec: ModelSpec, features: int) -> tuple[nn.Sequential, nn.Sequential]:
    codes = 2 * spec.code if spec.variational else spec.code
    if spec.architecture == "convolutional":
        return convolutional(spec, codes)
    encoder = perceptron((features, *spec.hidden, codes), spec)
    if spec.tied:
        return encoder, mirrored(encoder, spec)
    return encoder, perceptron((spec.code, *spec.hidden[::-1], features), spec)


def build(spec: ModelSpec, features: int) -> nn.Module:
    """The module of any spec, ready to be started or to have saved weights loaded."""
    if spec.kind in ("mean_profile", "zeros"):
        return Constant(torch.zeros(features))
    return Autoencoder.build(spec, features)


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
    last_layer(model.decoder, -1).bias.copy_(output_mean)  # type: ignore[operator]
    if components is None:
        return
    if spec.linear_path:
        _silence(model, len(components))
    last_layer(model.encoder, -1).weight.copy_(components)  # type: ignore[operator]
    last_layer(model.decoder, -1).weight.copy_(components.T)  # type: ignore[operator]


def _silence(model: Autoencoder, code: int) -> None:
    """Let the network beside a linear path add nothing at first; tied weights may leave a constant to take off."""
    for part in (model.encoder, model.decoder):
        for parameter in last_layer(part, 0).parameters():
            nn.init.zeros_(parameter)
    decoder = model.decoder.paths[0].eval()
    last_layer(model.decoder, 0).bias.sub_(decoder(model.center.new_zeros(1, code))[0])  # type: ignore[operator]
    decoder.train()


def last_layer(part: Parallel, path: int) -> nn.Module:
    """The last layer of a path: linear, or what ends the decoder of an image."""
    chain = part.paths[path]
    assert isinstance(chain, nn.Sequential)
    return chain[-1]
