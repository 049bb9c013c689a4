"""The cosine's gradient in the plane, as data to draw: the field around a direction, and paths along it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from losslens.lab.cosine import cosine_gradient, stepped
from losslens.models.threads import one_thread


class PlaneField(NamedTuple):
    """Points of a grid and the gradient there, each (points, 2), in float64.

    >>> losslens.lab.gradient_field(resolution=4).vectors.shape
    torch.Size([16, 2])
    """

    points: Tensor
    vectors: Tensor


def gradient_field(angle: float = 0.0, *, extent: float = 2.0, resolution: int = 16) -> PlaneField:
    """Gradient of the cosine with the direction at ``angle`` (radians), on a square grid up to ``extent``.

    An even resolution leaves out the origin, where there is no gradient.

    >>> field = losslens.lab.gradient_field(resolution=2, extent=1.0)
    >>> field.points[0].tolist(), field.vectors[0].mul(1e4).round().tolist()
    ([-1.0, -1.0], [3536.0, -3536.0])
    """
    axis = torch.linspace(-extent, extent, resolution, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    return PlaneField(points, cosine_gradient(points, _direction(angle)))


@one_thread()
def paths(
    starts: Tensor, angle: float = 0.0, *, step: float, steps: int, decay: float = 0.0, grad_scale: float = 0.0
) -> Tensor:
    """Where points of the plane go, step by step, as they climb their cosine with a fixed direction.

    Shapes: (points, 2) -> (steps + 1, points, 2). Options as of :func:`losslens.lab.stepped`.

    >>> way = losslens.lab.paths(torch.tensor([[0.0, 1.0]]), step=0.5, steps=2)
    >>> way.norm(dim=2).squeeze(1).tolist()[:2]
    [1.0, 1.118033988749895]
    """
    way, target = [starts.double()], _direction(angle)
    for _ in range(steps):
        way.append(stepped(way[-1], target, step, decay=decay, grad_scale=grad_scale))
    return torch.stack(way)


def _direction(angle: float) -> Tensor:
    return torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
