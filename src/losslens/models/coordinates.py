"""Networks from coordinates to a signal: SIREN, and the networks it is compared with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from losslens.activations import ACTIVATIONS, Activation
from losslens.models.spec import Spec

NetworkKind = Literal["siren", "relu", "tanh", "fourier"]


class ImplicitSpec(Spec):
    """A network from coordinates in [-1, 1] to the values of a signal there; its last layer is linear.

    ``hidden`` are the widths of the layers behind the first, which is as wide as they begin, as the paper counts:
    three hidden layers of 256 make five linear layers. ``first_omega`` is the frequency of the first sine layer,
    ``omega`` that of the others; ``frequencies`` and ``scale`` speak of the random Fourier features of the kind
    ``fourier``, whose layers are ReLU.
    """

    inputs: int = Field(ge=1)
    outputs: int = Field(1, ge=1)
    kind: NetworkKind = "siren"
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field((256, 256, 256), min_length=1)
    omega: float = Field(30.0, gt=0)
    first_omega: float = Field(30.0, gt=0)
    frequencies: int = Field(256, ge=1)
    scale: float = Field(5.0, gt=0)


class FourierFeatures(nn.Module):
    r"""Random Fourier features: :math:`\gamma(x) = (\sin 2 \pi B x, \cos 2 \pi B x)`, :math:`B_{ij} \sim N(0, s^2)`.

    (points, inputs) -> (points, 2 frequencies). B stays as drawn. Source: Tancik et al., NeurIPS 2020; their
    coordinates lie in [0, 1], so that a scale here is half of theirs.
    """

    directions: Tensor

    def __init__(self, inputs: int, frequencies: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("directions", scale * torch.randn(inputs, frequencies))

    def forward(self, coordinates: Tensor) -> Tensor:
        """Sines and cosines of the projections."""
        phase = 2.0 * math.pi * coordinates @ self.directions
        return torch.cat([phase.sin(), phase.cos()], dim=-1)


class CoordinateNetwork(nn.Module):
    """From coordinates (points, inputs) in [-1, 1] to values (points, outputs).

    Up to the first layer's output everything is computed in float32 at least, whatever autocast says: eight bits of
    a coordinate cannot tell the pixels of a picture apart.

    >>> from losslens.models.coordinates import CoordinateNetwork, ImplicitSpec
    >>> network = CoordinateNetwork.build(ImplicitSpec(inputs=2, outputs=3, hidden=(16, 16)), seed=0)
    >>> network(torch.zeros(5, 2)).shape
    torch.Size([5, 3])
    """

    def __init__(self, spec: ImplicitSpec) -> None:
        super().__init__()
        self.spec = spec
        fourier = spec.kind == "fourier"
        widths = (2 * spec.frequencies if fourier else spec.inputs, spec.hidden[0], *spec.hidden, spec.outputs)
        self.encoding = FourierFeatures(spec.inputs, spec.frequencies, spec.scale) if fourier else nn.Identity()
        self.linears = nn.ModuleList(nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(widths))
        self.activations = nn.ModuleList(_activation(spec, place) for place in range(len(widths) - 2))

    @classmethod
    def build(cls, spec: ImplicitSpec, seed: int) -> CoordinateNetwork:
        """A network with the initial weights that its kind asks for; the global random state is left alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = cls(spec)
            if spec.kind == "siren":
                siren_initialise(network.layers, spec.omega)
            else:
                _he_initialise(network.layers, ACTIVATIONS[_NAMES[spec.kind]].gain or 1.0)
        return network

    @property
    def layers(self) -> list[nn.Linear]:
        """The linear layers, first to last."""
        return list(self.linears)  # type: ignore[arg-type]

    def forward(self, coordinates: Tensor) -> Tensor:
        """Values at the coordinates."""
        with torch.autocast(coordinates.device.type, enabled=False):
            values = self.linears[0](self.encoding(coordinates))
        for activation, linear in zip(self.activations, self.linears[1:], strict=True):
            values = linear(activation(values))
        return values  # type: ignore[no-any-return]

    @torch.no_grad()
    def pre_activations(self, coordinates: Tensor) -> list[Tensor]:
        """What each activation receives, (points, width) each; for sine layers the phase, omega included."""
        found, values = [], self.linears[0](self.encoding(coordinates))
        for place, (activation, linear) in enumerate(zip(self.activations, self.linears[1:], strict=True)):
            found.append(values * (frequency(self.spec, place) if self.spec.kind == "siren" else 1.0))
            values = linear(activation(values))
        return found


@torch.no_grad()
def siren_initialise(layers: Iterable[nn.Linear], omega: float = 30.0) -> None:
    r"""Draw the weights of a SIREN: phases of unit variance in every hidden layer, however many there are.

    .. math:: W_1 \sim U(-1/n, 1/n), \qquad W_l \sim U\bigl(-\sqrt{6/n} / \omega, \sqrt{6/n} / \omega\bigr)

    with n the inputs of a layer; also the linear last layer. Biases stay within :math:`1/\sqrt n`, as PyTorch draws
    them. Source: Sitzmann, Martel, Bergman, Lindell and Wetzstein, NeurIPS 2020, and the code published with it.

    >>> from losslens.models.coordinates import siren_initialise
    >>> layers = [torch.nn.Linear(2, 64), torch.nn.Linear(64, 1)]
    >>> siren_initialise(layers, omega=30.0)
    >>> [bool(layers[0].weight.abs().max() <= 1 / 2), bool(layers[1].weight.abs().max() <= (6 / 64) ** 0.5 / 30)]
    [True, True]
    """
    for place, layer in enumerate(layers):
        fan_in = layer.in_features
        bound = math.sqrt(6.0 / fan_in) / omega if place else 1.0 / fan_in
        nn.init.uniform_(layer.weight, -bound, bound)


def frequency(spec: ImplicitSpec, place: int) -> float:
    """The omega of a sine layer, counted from zero."""
    return spec.omega if place else spec.first_omega


_NAMES = {"siren": "sine", "relu": "relu", "tanh": "tanh", "fourier": "relu"}


def _activation(spec: ImplicitSpec, place: int) -> nn.Module:
    entry = ACTIVATIONS[_NAMES[spec.kind]]
    if spec.kind != "siren":
        return entry.module()
    # Not entry.module(): the frequency of a first layer goes far beyond the range of an activation between layers.
    return Activation(entry.name, entry.compute, {"omega": frequency(spec, place)})


@torch.no_grad()
def _he_initialise(layers: list[nn.Linear], gain: float) -> None:
    """Biases stay as PyTorch draws them: at zero every kink of a first ReLU layer would pass through the origin."""
    for layer in layers:
        nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.in_features))
