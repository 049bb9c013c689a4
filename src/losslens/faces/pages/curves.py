"""Curves of losses and activations: values and slopes, along the sweeps that their family says, at the defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from losslens.activations import ActivationEntry
from losslens.losses import LossEntry
from losslens.losses.sweeps import Sweep

POINTS = 121
REACH = 4.0
OTHERS = (0.5, -0.3)
"""Inputs that stand still, where an activation acts on all values along a dimension."""


@dataclass(frozen=True)
class Line:
    """Values, and slopes by what is swept; ``name`` tells it from the other lines of its curves."""

    name: str
    values: tuple[float, ...]
    slopes: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """Lines over equal steps of what ``x`` says, from ``low`` to ``high``."""

    x: str
    low: float
    high: float
    lines: tuple[Line, ...]


def of_loss(entry: LossEntry) -> tuple[Curves, ...]:
    """What the mean of a loss is along each sweep of its family.

    >>> from losslens.losses import LOSSES
    >>> [curves] = of_loss(LOSSES["mae"])
    >>> curves.lines[0].values[0], curves.lines[0].slopes[0]
    (3.0, -1.0)
    """
    settings: dict[str, Any] = {name: option.default for name, option in entry.options.items()}
    settings |= {name: torch.tensor(fact.initial, dtype=torch.float64) for name, fact in entry.parameters.items()}

    def value(tensors: tuple[Tensor, ...]) -> Tensor:
        return entry.family.mean(entry.element(*tensors, **settings), None)

    return tuple(_swept(sweep, value) for sweep in entry.family.sweeps(entry))


def _swept(sweep: Sweep, value: Callable[[tuple[Tensor, ...]], Tensor]) -> Curves:
    def along(at: Callable[[Tensor], tuple[Tensor, ...]]) -> Callable[[Tensor], Tensor]:
        return lambda places: torch.stack([value(at(place)) for place in places])

    lines = tuple(_line(line.name, sweep.low, sweep.high, along(line.at)) for line in sweep.lines)
    return Curves(sweep.x, sweep.low, sweep.high, lines)


def of_activation(entry: ActivationEntry) -> Curves:
    """What an activation makes of its input; across a dimension the first value of its own input, others fixed."""
    if entry.acts == "element":
        reach = _reach(entry)
        return Curves("x", -reach, reach, (_line("", -reach, reach, entry.function),))
    others = torch.tensor(OTHERS, dtype=torch.float64)

    def first(places: Tensor) -> Tensor:
        rows = torch.cat([places.unsqueeze(1), others.expand(len(places), -1)], 1)
        return entry.function(rows)[:, 0]

    fixed = " and ".join(f"{other:g}" for other in OTHERS)
    return Curves(f"x, with other inputs at {fixed}", -REACH, REACH, (_line("", -REACH, REACH, first),))


def _reach(entry: ActivationEntry) -> float:
    """Far enough to see every kink, and not so far that steep waves run into each other."""
    farthest = max((abs(kink) for kink in entry.kinks), default=0.0)
    return max(REACH, farthest + 2.0) * min(1.0, 3.0 / entry.lipschitz)


def _line(name: str, low: float, high: float, function: Callable[[Tensor], Tensor]) -> Line:
    places = torch.linspace(low, high, POINTS, dtype=torch.float64).requires_grad_()
    values = function(places)
    (slopes,) = torch.autograd.grad(values.sum(), places)
    return Line(name, _rounded(values), _rounded(slopes))


def _rounded(numbers: Tensor) -> tuple[float, ...]:
    """To six digits, so that the last bits of different machines do not show; what is next to nothing is nothing."""
    near = max(float(numbers.detach().abs().max()) * 1e-9, 1e-12)
    return tuple(0.0 if abs(number) < near else float(f"{number:.6g}") for number in numbers.tolist())
