"""Contracts on what a loss means: which number or direction it elicits, and whether a likelihood is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tests import elicited_numbers, elicited_rows
from tests.samples import defaults
from torch import Tensor

from losslens.losses import LossEntry
from losslens.vocabulary.quantities import Domain

CASES = [(-1.3, 0.5), (0.4, 1.0), (2.0, 3.0)]  # an output (or the logarithm of a rate) and a parameter


def integrates_to_one(entry: LossEntry, loss: Any) -> None:
    points, weights = support(entry)
    for output, parameter in _cases(entry):
        nats = _nats(entry, loss, points, output, parameter)
        total = float((weights * torch.exp(-nats)).sum())
        assert abs(total - 1.0) < (1e-5 if entry.domain is Domain.OPEN_UNIT else 1e-6), (
            f"the density at {output:g}, {parameter:g} has mass {total:.8f}"
        )


def truth_minimises_the_expected_loss(entry: LossEntry, loss: Any) -> None:
    points, weights = support(entry)
    for output, parameter in _cases(entry):
        own = _nats(entry, loss, points, output, parameter)
        mass = weights * torch.exp(-own)
        for other in (
            (output * 1.05, parameter),
            (output * 0.95, parameter),
            (output, parameter * 1.1),
            (output, parameter * 0.9),
        ):
            if other[1] != parameter and not entry.parameters:
                continue
            gain = float((mass * (_nats(entry, loss, points, *other) - own)).sum())
            assert gain > 0.0, f"data of {output:g}, {parameter:g} are better explained by {other}: {gain:g}"


def _cases(entry: LossEntry) -> list[tuple[float, float]]:
    return [(float(np.exp(o)) if entry.link == "softmax" else o, p) for o, p in CASES]


def support(entry: LossEntry) -> tuple[Tensor, Tensor]:
    """Points and weights that integrate (or sum) over the domain."""
    if entry.domain is Domain.REAL:  # dense around zero, and out to where the longest tail has no mass left
        steps = torch.linspace(-60.0, 60.0, 300_001, dtype=torch.float64)
        return steps.sinh(), 4e-4 * steps.cosh()
    if entry.domain is Domain.POSITIVE:
        points = torch.linspace(-40.0, 40.0, 80_001, dtype=torch.float64).exp()
        return points, 1e-3 * points
    if entry.domain is Domain.OPEN_UNIT:  # a density may be infinite at both ends
        logits = torch.linspace(-690.0, 36.0, 72_601, dtype=torch.float64)
        return torch.sigmoid(logits), 0.01 * torch.sigmoid(logits) * torch.sigmoid(-logits)
    if entry.domain is Domain.UNIT:
        nodes, weights = np.polynomial.legendre.leggauss(60)
        return torch.as_tensor((nodes + 1.0) / 2.0), torch.as_tensor(weights / 2.0)
    points = torch.arange(2.0 if entry.domain is Domain.BINARY else 4000.0, dtype=torch.float64)
    return points, torch.ones_like(points)


def _nats(entry: LossEntry, loss: Any, points: Tensor, output: float, parameter: float) -> Tensor:
    learned = {name: torch.tensor(parameter, dtype=torch.float64) for name in entry.parameters}
    return loss(torch.full_like(points, output), points, reduction="none", **defaults(entry), **learned)


def elicits_as_declared(entry: LossEntry, loss: Any) -> None:
    assert entry.elicits in ELICITED, f"no measurement of {entry.elicits!r}: one of {list(ELICITED)}"
    ELICITED[entry.elicits](entry, loss)


ELICITED: dict[str, Callable[[LossEntry, Any], None]] = elicited_numbers.ELICITED | elicited_rows.ELICITED
