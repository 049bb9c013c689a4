"""Differential equations on small domains, solved without being told the solution, which is known all the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import special
from torch import Tensor

from losslens.losses.pointwise import mae
from losslens.measure.signals import relative_error
from losslens.run.fields import Field, Known, Points, Response, Term, Values, Yardstick, content_hash, grid
from losslens.vocabulary.errors import BadInput

INSIDE, EDGE = 1000, 500  # points at each step
SOURCE = (-1.5, 0.4)  # of the Helmholtz waves, beside the square
MODES = {1: 1.0, 3: 0.5}  # of the string: number of half waves and amplitude
JUDGED = 64  # points along each axis
RESONANCE = 0.01

Solution = Callable[[Tensor], Tensor]  # (points, inputs) -> (points, outputs)


def helmholtz(wavenumber: float = 6.0, points: int | None = None) -> Field:
    r"""Waves of one frequency in the square [-1, 1]^2 from a point source beside it: :math:`\Delta u + k^2 u = 0`.

    Given are the boundary values of :math:`u = H_0^{(1)}(k \|x - s\|) / |H_0^{(1)}(k \|s\|)|`, which is also the
    solution. Outputs are the real and the imaginary part. Minimised are the mean absolute error on the
    boundary and the mean absolute residual divided by :math:`k^2`. Raises :class:`BadInput` near a resonance of the
    square, where boundary values do not determine the solution. Source: the absolute residuals of Sitzmann et al.,
    NeurIPS 2020.

    >>> from losslens.run.equations import helmholtz
    >>> helmholtz(6.0).outputs
    2
    """
    _check_resonance(wavenumber)

    def residual(response: Response, known: Known) -> Tensor:
        return _absolute(response.laplacian / wavenumber**2 + response.output) * known["inside"]

    def edge(size: int, generator: torch.Generator) -> Tensor:
        along = 2.0 * torch.rand(size, 2, generator=generator) - 1.0
        side = torch.arange(size) % 4
        along[torch.arange(size), side // 2] = torch.where(side % 2 == 0, -1.0, 1.0)
        return along

    def solution(where: Tensor) -> Tensor:
        return point_source(where, wavenumber)

    terms = (Term("residual", 1.0, residual), Term("boundary values", 1.0, _edge_error))
    box = ((-1.0, 1.0), (-1.0, 1.0))
    return _equation("helmholtz", 2, terms, box, edge, solution, points, np.array(wavenumber))


def wave(speed: float = 1.0, points: int | None = None) -> Field:
    r"""A string on [-1, 1] held at both ends, from rest, for times in [0, 1]: :math:`u_{tt} = c^2 u_{xx}`.

    Coordinates are (time, place). It starts in the first and third mode; the solution, by separation of variables, is
    :math:`\sum_n a_n \sin(n \pi (x + 1) / 2) \cos(n \pi c t / 2)`. Minimised are ten times the mean absolute error of
    the values at the ends and the start, the mean absolute velocity at the start, and the mean absolute residual, the
    last two in units of the fastest mode. Source: the absolute residuals of Sitzmann et al., NeurIPS 2020.

    >>> from losslens.run.equations import wave
    >>> wave().inputs
    2
    """
    if speed <= 0:
        raise BadInput(expected="a positive speed", found=f"{speed:g}")
    fastest = max(MODES) * math.pi * speed / 2.0

    def residual(response: Response, known: Known) -> Tensor:
        in_time, in_place = response.second.unbind(-1)
        return _absolute((in_time - speed**2 * in_place) / fastest**2) * known["inside"]

    def velocity(response: Response, known: Known) -> Tensor:
        at_start = (1.0 - known["inside"]) * (response.coordinates[:, 0] == 0.0)
        return _absolute(response.jacobian[..., 0] / fastest) * at_start

    def edge(size: int, generator: torch.Generator) -> Tensor:
        time, place = torch.rand(size, generator=generator), 2.0 * torch.rand(size, generator=generator) - 1.0
        side = torch.arange(size) % 4  # half of them at the start, a quarter at each end
        ends = torch.where(side == 0, -1.0, 1.0)
        return torch.stack([torch.where(side < 2, time, 0.0), torch.where(side < 2, ends, place)], dim=1)

    def solution(where: Tensor) -> Tensor:
        return standing_wave(where, speed)

    terms = (
        Term("residual", 1.0, residual),
        Term("values at the start and the ends", 10.0, _edge_error),
        Term("velocity at the start", 1.0, velocity),
    )
    return _equation("wave", 1, terms, ((0.0, 1.0), (-1.0, 1.0)), edge, solution, points, np.array(speed))


def point_source(where: Tensor, wavenumber: float) -> Tensor:
    """The field of a source at (-1.5, 0.4), of modulus 1 in the middle, (points, 2) -> real, imaginary (points, 2)."""
    distance = (where.double() - torch.tensor(SOURCE, dtype=torch.float64)).norm(dim=-1).numpy()
    values = special.hankel1(0, wavenumber * distance) / abs(special.hankel1(0, wavenumber * math.hypot(*SOURCE)))
    return torch.from_numpy(np.stack([values.real, values.imag], axis=-1)).to(where.dtype)


def standing_wave(where: Tensor, speed: float) -> Tensor:
    """Displacement at (time, place), (points, 2) -> (points, 1)."""
    time, place = where.unbind(-1)
    parts = [
        amplitude * (mode * math.pi * (place + 1.0) / 2.0).sin() * (mode * math.pi * speed * time / 2.0).cos()
        for mode, amplitude in MODES.items()
    ]
    return torch.stack(parts).sum(0).unsqueeze(-1)


def _equation(
    name: str,
    outputs: int,
    terms: Sequence[Term],
    box: Sequence[tuple[float, float]],
    edge: Callable[[int, torch.Generator], Tensor],
    solution: Solution,
    points: int | None,
    parameter: np.ndarray,
) -> Field:
    """An equation inside a box, given its solution on some edges of it; judged by the relative error inside."""
    low, high = torch.tensor(box).unbind(-1)
    inside, outside = (INSIDE, EDGE) if points is None else (points, max(1, points // 2))
    judged = low + (grid((JUDGED,) * len(box)) + 1.0) / 2.0 * (high - low)
    true = solution(judged)

    def sample(generator: torch.Generator) -> Points:
        within = low + torch.rand(inside, len(box), generator=generator) * (high - low)
        on = edge(outside, generator)
        mask = torch.cat([torch.ones(inside), torch.zeros(outside)])
        values = torch.cat([torch.zeros(inside, outputs), solution(on)])
        return Points(torch.cat([within, on]), {"inside": mask, "values": values})

    def measure(says: Values) -> float:
        return 100.0 * relative_error(says(judged), true)

    return Field(
        name=name,
        inputs=len(box),
        outputs=outputs,
        order=2,
        sample=sample,
        terms=terms,
        yardstick=Yardstick("Relative error", "%", False, measure),
        content=content_hash(name, parameter),
    )


def _edge_error(response: Response, known: Known) -> Tensor:
    return mae(response.output, known["values"], reduction="none").sum(-1) * (1.0 - known["inside"])


def _absolute(values: Tensor) -> Tensor:
    return mae(values, torch.zeros_like(values), reduction="none").sum(-1)


def _check_resonance(wavenumber: float) -> None:
    if wavenumber <= 0:
        raise BadInput(expected="a positive wavenumber", found=f"{wavenumber:g}")
    most = int(2 * wavenumber / math.pi) + 2
    nearest = min(
        (math.pi / 2 * math.hypot(one, other) for one in range(1, most) for other in range(1, most)),
        key=lambda resonance: abs(resonance - wavenumber),
    )
    if abs(nearest - wavenumber) < RESONANCE * wavenumber:
        raise BadInput(
            expected="a wavenumber that is no resonance of the square, where boundary values leave the solution open",
            found=f"{wavenumber:g} beside the resonance {nearest:.4f}",
            remedy=f"Take one that differs by more than {RESONANCE:.0%}.",
        )
