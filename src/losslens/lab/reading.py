"""One setting of the laboratory read in full: every formula beside what autograd or a simulation says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from losslens.lab import cosine as formulas
from losslens.lab.pairs import Course, Pairs, climb, pairs_at
from losslens.models.remedies import GradScale
from losslens.vocabulary.errors import BadInput

MOST_READ = 50_000  # simulated steps of one reading
COUNT = 4  # pairs; at one angle and one norm all go the same way


@dataclass(frozen=True)
class Setting:
    """Where a pair starts and how it moves; angles in radians, the step is that of one pair.

    >>> losslens.lab.Setting(norm=10.0).steps > 9000
    True
    """

    norm: float = 1.0
    angle: float = math.pi / 2.0
    step: float = 0.02
    dimension: int = 20
    sides: int = 2
    decay: float = 0.0
    grad_scale: float = 0.0
    until: float = 0.999
    seed: int = 0

    @property
    def steps(self) -> float:
        """Closed-form number of steps, as :func:`losslens.lab.steps_needed`."""
        more = {"sides": self.sides, "grad_scale": self.grad_scale}
        return formulas.steps_needed(self.norm, self.step, angle=self.angle, until=self.until, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Figure:
    """One quantity: in closed form, and as measured. None where there is none.

    >>> losslens.lab.read(losslens.lab.Setting(norm=2.0)).figures[0]
    Figure(what='size of the gradient', formula=0.5, measured=0.5, by='autograd')
    """

    what: str
    formula: float | None
    measured: float | None
    by: str


@dataclass(frozen=True)
class Reading:
    """A setting, its figures, and the course of the simulation.

    >>> reading = losslens.lab.read(losslens.lab.Setting(norm=0.5))
    >>> reading.course.steps, round(reading.setting.steps)
    (23, 24)
    """

    setting: Setting
    figures: tuple[Figure, ...]
    course: Course


def read(setting: Setting) -> Reading:
    """Compute and simulate everything about a setting.

    BadInput for an angle that is not strictly between 0 and pi, a power of GradScale outside 0 to 2, and what
    :func:`losslens.lab.climb` and :func:`losslens.lab.steps_needed` refuse. The simulation ends after 50,000 steps at
    the latest.

    >>> [figure.what for figure in losslens.lab.read(losslens.lab.Setting()).figures][-1]
    'steps until cosine 0.999'
    """
    if not 0.0 < setting.angle < math.pi:
        found = f"{math.degrees(setting.angle):g} degrees"
        raise BadInput(expected="an angle strictly between 0 and 180 degrees", found=found)
    if not 0.0 <= setting.grad_scale <= 2.0:  # beyond, long points turn the faster the longer they are
        raise BadInput(expected="a power of GradScale from 0 to 2", found=f"{setting.grad_scale:g}")
    expected = setting.steps
    pairs = pairs_at(setting.angle, count=COUNT, dimension=setting.dimension, norm=setting.norm, seed=setting.seed)
    course = climb(
        pairs,
        step=setting.step,
        sides=setting.sides,
        decay=setting.decay,
        grad_scale=setting.grad_scale,
        until=setting.until,
        most=MOST_READ,
    )
    steps = Figure(f"steps until cosine {setting.until:g}", expected, course.steps, "simulation")
    return Reading(setting, (*_of_one_step(setting, pairs, course), *_of_decay(setting), steps), course)


def _of_one_step(setting: Setting, pairs: Pairs, course: Course) -> list[Figure]:
    size = formulas.gradient_norm(setting.angle, setting.norm, grad_scale=setting.grad_scale)
    figures = [Figure("size of the gradient", size, _by_autograd(setting, pairs), "autograd")]
    moved = len(course.cosine) > 1 and setting.decay == 0.0
    change = formulas.cosine_change(
        math.cos(setting.angle), setting.norm, setting.step, sides=setting.sides, grad_scale=setting.grad_scale
    )
    grown = formulas.grown_norm(setting.norm, setting.step, size) - setting.norm
    return [
        *figures,
        Figure("change of the cosine in one step", change, course.cosine[1] - course.cosine[0], "simulation")
        if moved
        else Figure("change of the cosine in one step, without decay", change, None, ""),
        Figure("growth of the norm in one step", grown, course.norm[1] - course.norm[0], "simulation")
        if moved
        else Figure("growth of the norm in one step, without decay", grown, None, ""),
    ]


def _of_decay(setting: Setting) -> list[Figure]:
    if setting.decay == 0.0:
        return []
    sine = math.sin(setting.angle) ** 2
    level = formulas.equilibrium_norm(setting.step, setting.decay, sine_squared=sine)
    return [Figure("norm where decay and growth balance, at this angle and power 0", level, None, "")]


def _by_autograd(setting: Setting, pairs: Pairs) -> float:
    one = pairs.one.clone().requires_grad_()
    torch.autograd.backward(torch.cosine_similarity(GradScale(setting.grad_scale)(one), pairs.other).sum())
    assert one.grad is not None
    return round(float(one.grad.norm(dim=1).mean()), 12)
