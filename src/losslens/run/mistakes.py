"""The classic mistakes with coordinate networks, looked for before a step is taken and said in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from losslens.models.coordinates import CoordinateNetwork
from losslens.run.fields import Field
from losslens.run.fitting import Fitting

LARGE_RATE = 1e-3
PHASE_SPREAD = (0.5, 2.0)
LOOKED_AT = 2000


def advice(fitting: Fitting) -> Iterator[str]:
    """What is likely to go wrong with a training that has not begun, a few sentences each; nothing if all is well."""
    field, network, rate = fitting.field, fitting.network, fitting.spec.learning_rate
    where = field.sample(torch.Generator().manual_seed(fitting.spec.seed)).coordinates
    yield from outside(where)
    if network.spec.kind == "siren":
        yield from _frequencies(field, network)
        yield from _initialisation(
            network, where[torch.randperm(len(where), generator=torch.Generator().manual_seed(0))[:LOOKED_AT]]
        )
        if rate >= LARGE_RATE:
            yield (
                f"The learning rate {rate:g} is large for a SIREN: its loss jumps or stalls from about "
                "1e-3 on, as a small change of a weight shifts many waves. Use 1e-4, the rate of the paper."
            )


def outside(coordinates: Tensor) -> Iterator[str]:
    """Whether coordinates leave the interval that frequencies and initial weights are made for."""
    low, high = float(coordinates.min()), float(coordinates.max())
    if low < -1.0 or high > 1.0:
        yield (
            f"Coordinates from {low:g} to {high:g} leave [-1, 1]. There the first layer oscillates faster than omega "
            "says, and nothing is learned outside of the data. Bring them into [-1, 1]."
        )


def phase_spread(network: CoordinateNetwork, coordinates: Tensor) -> list[float]:
    """Root mean square of the phases that the weights of each sine layer behind the first make, over points and units.

    About 1 at the initialisation of a SIREN, whatever depth and width. Biases are left out, whose share falls with the
    width.
    """
    shifts = [network.spec.omega * layer.bias.detach() for layer in network.layers[1:-1]]
    phases = network.pre_activations(coordinates)[1:]
    return [float((phase - shift).square().mean().sqrt()) for phase, shift in zip(phases, shifts, strict=True)]


def _frequencies(field: Field, network: CoordinateNetwork) -> Iterator[str]:
    first, (low, high) = network.spec.first_omega, field.first_omega
    finest = (
        math.inf if field.spacing is None else math.pi / field.spacing * field.inputs
    )  # weights are up to 1 / inputs
    if first > finest:
        yield (
            f"A first omega of {first:g} lets the network oscillate between neighbouring samples, where nothing "
            f"holds it: they cannot tell more than {finest:.0f} from less. Use a smaller one."
        )
    elif first < low:
        yield (
            f"A first omega of {first:g} is low for '{field.name}' (usual: {low:g} to {high:g}): fine detail "
            "is learned late or never."
        )
    elif first > high:
        yield (
            f"A first omega of {first:g} is high for '{field.name}' (usual: {low:g} to {high:g}): what is learned is "
            "noisy between the points."
        )


def _initialisation(network: CoordinateNetwork, coordinates: Tensor) -> Iterator[str]:
    low, high = PHASE_SPREAD
    for place, spread in enumerate(phase_spread(network, coordinates), start=2):
        if not low < spread < high:
            yield (
                f"The phases of sine layer {place} have a root mean square of {spread:.2g} instead of about 1: these "
                "are not the initial weights of a SIREN, and training will see "
                + ("only noise. " if spread > high else "hardly any signal. ")
                + "Call losslens.models.coordinates.siren_initialise(network.layers, omega), omega as in the layers."
            )
            return  # later layers follow from this one
