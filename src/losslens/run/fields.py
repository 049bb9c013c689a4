"""What a coordinate network is trained for, as data: where it is asked, what it should say there, how it is judged.

A picture, a sound, a surface and a wave differ in nothing else; one loop trains them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from losslens.models.derivatives import jacobian, unmixed

Values = Callable[[Tensor], Tensor]  # (points, inputs) -> (points, outputs)
Known = Mapping[str, Tensor]


@dataclass(frozen=True)
class Points:
    """Coordinates (points, inputs) and what is known there, each with one row per point."""

    coordinates: Tensor
    known: Known

    def __len__(self) -> int:
        return len(self.coordinates)

    def rows(self, index: Tensor | slice) -> Points:
        """Some of the points."""
        return Points(self.coordinates[index], {name: values[index] for name, values in self.known.items()})

    def to(self, device: str) -> Points:
        """The same points on a device."""
        return Points(self.coordinates.to(device), {name: values.to(device) for name, values in self.known.items()})

    def chunks(self, size: int) -> Iterator[Points]:
        """Neighbouring points, at most so many at once."""
        return (self.rows(slice(start, start + size)) for start in range(0, len(self), size))


class Response:
    """What a network says at some points; derivatives are computed when a term first asks for them."""

    def __init__(self, network: nn.Module, coordinates: Tensor, order: int) -> None:
        self.coordinates = coordinates.detach().requires_grad_(order > 0)
        self.output: Tensor = network(self.coordinates).float()

    @cached_property
    def jacobian(self) -> Tensor:
        """First derivatives, (points, outputs, inputs)."""
        return jacobian(self.output, self.coordinates)

    @cached_property
    def second(self) -> Tensor:
        """Second derivatives by the same coordinate twice, (points, outputs, inputs)."""
        return torch.stack([unmixed(rows, self.coordinates) for rows in self.jacobian.unbind(-2)], dim=-2)

    @property
    def laplacian(self) -> Tensor:
        """(points, outputs)."""
        return self.second.sum(-1)


@dataclass(frozen=True)
class Term:
    """A part of what is minimised: the mean over points of ``values``, times ``weight``.

    ``values`` gives one number for every point, (points,) or (points, outputs). A term of some of the points gives zero
    for the others.
    """

    name: str
    weight: float
    values: Callable[[Response, Known], Tensor]


@dataclass(frozen=True)
class Yardstick:
    """How good a fit is, in one number, measured on the network's values at coordinates of its own."""

    name: str
    unit: str
    higher_is_better: bool
    measure: Callable[[Values], float]


@dataclass(frozen=True, kw_only=True)
class Field:
    """A problem for a coordinate network.

    - ``order``: the highest derivative that a term asks for.
    - ``sample``: the points of a step; a full batch gives the same ones each time.
    - ``terms``: what is minimised, added up.
    - ``clip``: largest norm of the gradient of a step, where the source clips.
    - ``content``: the hash of all data in it.
    - ``first_omega``: least and largest usual frequency of a first sine layer.
    - ``spacing``: the distance of neighbouring samples, where there are samples.
    """

    name: str
    inputs: int
    outputs: int
    order: int
    sample: Callable[[torch.Generator], Points]
    terms: Sequence[Term]
    yardstick: Yardstick
    content: str
    clip: float | None = None
    first_omega: tuple[float, float] = (1.0, 100.0)
    spacing: float | None = None


def grid(shape: Sequence[int]) -> Tensor:
    """Coordinates of a regular grid over [-1, 1] with points on both ends, (product of shape, axes), last axis fastest.

    A single point of an axis lies in its middle.

    >>> from losslens.run.fields import grid
    >>> grid((1, 3)).tolist()
    [[0.0, -1.0], [0.0, 0.0], [0.0, 1.0]]
    """
    axes = [torch.linspace(-1.0, 1.0, size) if size > 1 else torch.zeros(1) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, len(shape))


@torch.no_grad()
def evaluate(network: nn.Module, coordinates: Tensor, chunk: int = 4096) -> Tensor:
    """Values of a network at any number of points, (points, outputs), in float32 on the CPU."""
    device = next(network.parameters()).device
    parts = [network(part.to(device)).float().cpu() for part in torch.split(coordinates, chunk)]
    return torch.cat(parts)


def content_hash(name: str, *arrays: npt.NDArray[Any]) -> str:
    """A hash of a field's name and data."""
    found = hashlib.sha256(name.encode())
    for array in arrays:
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def sampled(points: Points, size: int | None) -> Callable[[torch.Generator], Points]:
    """All points at every step, or so many of them at random."""
    if size is None or size >= len(points):
        return lambda generator: points
    return lambda generator: points.rows(torch.randint(len(points), (size,), generator=generator))
