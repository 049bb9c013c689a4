"""Pairs of points that climb their cosine by gradient descent, and points that are pulled about: simulations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from losslens.lab.cosine import across, stepped
from losslens.losses.profile import unit
from losslens.models.threads import one_thread
from losslens.vocabulary.errors import BadInput

MOST = 200_000  # steps of a simulation that does not arrive


class Pairs(NamedTuple):
    """Points and their partners, each (pairs, dimensions), in float64.

    >>> losslens.lab.pairs_at(1.0, count=3, dimension=5).one.shape
    torch.Size([3, 5])
    """

    one: Tensor
    other: Tensor


@dataclass(frozen=True)
class Course:
    """Means over all pairs before each step and at the end: the cosine, and the norm of the first points.

    ``steps`` is None where the simulation ended before the cosine was reached. ``start_angle``, in radians, is that of
    the mean cosine.

    >>> course = losslens.lab.climb(losslens.lab.pairs_at(1.0, count=2, norm=0.5), step=0.02)
    >>> course.steps == len(course.cosine) - 1, round(course.start_angle, 3), course.norm[0]
    (True, 1.0, 0.5)
    """

    steps: int | None
    cosine: tuple[float, ...]
    norm: tuple[float, ...]

    @property
    def start_angle(self) -> float:
        """Arc cosine of the mean cosine at the start, in radians."""
        return math.acos(max(-1.0, min(1.0, self.cosine[0])))


def pairs_at(
    angle: float | None = None, *, count: int = 500, dimension: int = 20, norm: float = 1.0, seed: int = 0
) -> Pairs:
    """Pairs in random directions, all at the same angle in radians; without one, partners are independent.

    BadInput for fewer than two dimensions, no pairs, or a norm that is not positive.

    >>> one, other = losslens.lab.pairs_at(2.0, count=4, norm=3.0)
    >>> torch.cosine_similarity(one, other).acos().mul(1e4).round().div(1e4).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    one, other = _directions(count, dimension, norm, torch.Generator().manual_seed(seed))
    if angle is not None:
        other = math.cos(angle) * one + math.sin(angle) * unit(across(other, one))
    return Pairs(norm * one, norm * other)


def interpolated_pairs(
    weight: float, *, count: int = 500, dimension: int = 20, norm: float = 1.0, seed: int = 0
) -> Pairs:
    r"""Pairs whose partner lies between a random direction and the point itself, or its opposite.

    .. math:: \hat w \propto (1 - |a|)\, \hat r - a\, \hat z

    ``weight`` a goes from -1 (the same direction) to 1 (opposite). Angles vary from pair to pair.

    Source: the starts of the published simulation (Draganov et al., notebook Simulations).

    >>> one, other = losslens.lab.interpolated_pairs(0.8)
    >>> bool(torch.cosine_similarity(one, other).mean() < -0.9)
    True
    """
    one, other = _directions(count, dimension, norm, torch.Generator().manual_seed(seed))
    return Pairs(norm * one, norm * unit((1.0 - abs(weight)) * other - weight * one))


@one_thread()  # threads would only wait for each other
def climb(
    pairs: Pairs,
    *,
    step: float,
    sides: int = 2,
    decay: float = 0.0,
    grad_scale: float = 0.0,
    until: float = 0.999,
    most: int = MOST,
) -> Course:
    """Let pairs climb their cosine by gradient descent until its mean reaches ``until``.

    ``step`` is that of one pair: a step of 10 on the mean over 500 pairs is 10 / 500 = 0.02 here. ``sides`` (1 or 2) of
    each pair move. ``decay`` and ``grad_scale`` as in :func:`losslens.lab.stepped`. Ends after ``most`` steps at the
    latest. BadInput for a step or decay out of range.

    Source: the simulation of Draganov et al., arXiv 2406.16468, notebook Simulations.

    >>> [losslens.lab.climb(losslens.lab.pairs_at(torch.pi / 2, norm=r), step=0.02).steps for r in (0.5, 1.0, 2.0)]
    [23, 95, 380]
    """
    _check(step, sides, decay)
    (one, other), keep = (points.double() for points in pairs), 1.0 - step * decay
    cosines, norms = [], []
    while True:
        length, others = one.norm(dim=1, keepdim=True), other.norm(dim=1, keepdim=True)
        direction, towards = one / length, other / others
        cosine = (direction * towards).sum(1, keepdim=True)
        cosines.append(float(cosine.mean()))
        norms.append(float(length.mean()))
        arrived = cosines[-1] >= until
        if arrived or len(cosines) > most:
            return Course(len(cosines) - 1 if arrived else None, tuple(cosines), tuple(norms))
        one = keep * one + (towards - cosine * direction) * (step * length ** (grad_scale - 1.0))
        if sides == 2:
            other = keep * other + (direction - cosine * towards) * (step * others ** (grad_scale - 1.0))


@one_thread()
def wander(
    steps: int,
    *,
    norm: float,
    step: float,
    decay: float = 0.0,
    count: int = 500,
    dimension: int = 20,
    seed: int = 0,
) -> tuple[float, ...]:
    """Mean norm before each step and at the end, of points that are pulled towards a new random direction each time.

    The mean squared sine stays 1 - 1/dimension, so that the norm follows :func:`losslens.lab.norm_after` without
    decay, and comes to :func:`losslens.lab.equilibrium_norm` with it.

    >>> norms = losslens.lab.wander(1000, norm=1.0, step=0.5, decay=0.05, count=50)
    >>> abs(norms[-1] / losslens.lab.equilibrium_norm(0.5, 0.05, sine_squared=0.95) - 1) < 0.05
    True
    """
    _check(step, 1, decay)
    generator = torch.Generator().manual_seed(seed)
    points = norm * _directions(count, dimension, norm, generator)[0]
    norms = [float(points.norm(dim=1).mean())]
    for _ in range(steps):
        pull = torch.randn(count, dimension, generator=generator, dtype=torch.float64)
        points = stepped(points, pull, step, decay=decay)
        norms.append(float(points.norm(dim=1).mean()))
    return tuple(norms)


def _directions(count: int, dimension: int, norm: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Unit vectors and others, independent and uniform on the sphere."""
    if count < 1 or dimension < 2 or not 0.0 < norm < math.inf:
        raise BadInput(
            expected="at least one pair, two dimensions and a positive norm",
            found=f"{count} pairs, {dimension} dimensions, norm {norm:g}",
        )
    one, other = torch.randn(2, count, dimension, generator=generator, dtype=torch.float64)
    return unit(one), unit(other)


def _check(step: float, sides: int, decay: float) -> None:
    if sides not in (1, 2):
        raise BadInput(expected="1 or 2 sides that move", found=repr(sides))
    if not (0.0 < step < math.inf and 0.0 <= step * decay < 1.0):
        raise BadInput(
            expected="a positive step, and a decay of which step times decay is below 1",
            found=f"step {step:g}, decay {decay:g}",
        )
