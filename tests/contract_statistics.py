"""Contracts on what a loss means: which number or direction it elicits, and whether a likelihood is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq
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
        assert abs(total - 1.0) < 1e-6, f"the density at {output:g}, {parameter:g} has mass {total:.8f}"


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
    if entry.domain is Domain.REAL:
        points = torch.linspace(-100.0, 100.0, 200_001, dtype=torch.float64)
        return points, torch.full_like(points, 1e-3)
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


def _mean(entry: LossEntry, loss: Any) -> None:
    data, best = _best_constant(entry, loss)
    assert abs(best - float(data.mean())) < 1e-8, f"the best constant is {best:g}, the mean is {data.mean():g}"


def _median(entry: LossEntry, loss: Any) -> None:
    data, best = _best_constant(entry, loss)
    assert abs(best - float(data.median())) < 1e-8, f"the best constant is {best:g}, the median is {data.median():g}"


def _between_mean_and_median(entry: LossEntry, loss: Any) -> None:
    data, best = _best_constant(entry, loss)
    low, high = float(data.median()), float(data.mean())
    assert low + 1e-3 < best < high - 1e-3, f"the best constant {best:g} is not between {low:g} and {high:g}"


def _best_constant(entry: LossEntry, loss: Any) -> tuple[Tensor, float]:
    """A skewed sample, and the prediction that minimises the mean loss over it: where the slope changes sign."""
    data = skewed(entry.domain)
    learned = {name: torch.ones((), dtype=torch.float64) for name in entry.parameters}

    def slope(constant: float) -> float:
        output = torch.full_like(data, constant).requires_grad_()
        loss(output, data, reduction="sum", **defaults(entry), **learned).backward()
        return float(output.grad.sum())  # type: ignore[union-attr]

    low, high = (1e-3, float(data.max())) if entry.link == "softmax" else (-60.0, 60.0)
    best = torch.tensor(brentq(slope, low, high, xtol=1e-13, rtol=1e-13), dtype=torch.float64)
    return data, float(best if entry.prediction is None else entry.prediction(best))


def skewed(domain: Domain) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(301, generator=generator, dtype=torch.float64)
    uniform = torch.rand(301, generator=generator, dtype=torch.float64)
    return {
        Domain.UNIT: uniform**3,
        Domain.BINARY: (uniform < 0.3).double(),
        Domain.COUNTS: (2.0 * normal.exp()).floor(),
    }.get(domain, normal.exp())


def _direction_of_normalised(entry: LossEntry, loss: Any) -> None:
    _is_best_direction(entry, loss, _unit(profiles()).mean(0))


def _direction_of_standardised(entry: LossEntry, loss: Any) -> None:
    rows = profiles()
    _is_best_direction(entry, loss, _unit(rows - rows.mean(1, keepdim=True)).mean(0))


def _is_best_direction(entry: LossEntry, loss: Any, direction: Tensor) -> None:
    """The mean loss over profiles is least at ``direction``: no slope there, and more loss everywhere around."""
    rows = profiles()
    constant = direction.clone().requires_grad_()
    best = loss(constant.expand_as(rows), rows, **defaults(entry))
    (slope,) = torch.autograd.grad(best, constant)
    assert float(slope.norm() * direction.norm()) < 1e-9, f"the loss still falls at the direction: {slope}"
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        away = torch.randn(direction.shape, generator=generator, dtype=torch.float64) * 0.3 * direction.norm()
        assert loss((direction + away).expand_as(rows), rows, **defaults(entry)) > best, f"less loss {away} away"


def _between_direction_and_mean(entry: LossEntry, loss: Any) -> None:
    """The share of magnitude decides: at its low end the direction, at its high end the mean."""
    (name, option), rows = next(iter(entry.options.items())), profiles()
    direction, mean = _unit(_unit(rows).mean(0)), rows.mean(0)
    low, middle, high = (
        _best_row(loss, rows, {name: v}) for v in (option.range.low, option.default, option.range.high)
    )
    angles = [float(1.0 - _unit(row) @ direction) for row in (low, middle, mean)]
    assert angles[0] < angles[1] < angles[2], f"distances from the direction (low, default, mean): {angles}"
    assert angles[0] < 0.02 * angles[2], f"at {name}={option.range.low:g} the direction is not elicited: {angles}"
    assert float((high - mean).norm()) < 0.01 * float(mean.norm()), f"at {name}={option.range.high:g} not the mean"


def _best_row(loss: Any, rows: Tensor, settings: dict[str, float]) -> Tensor:
    row = rows.mean(0).clone().requires_grad_()
    search = torch.optim.LBFGS([row], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure() -> Tensor:
        search.zero_grad()
        value = loss(row.expand_as(rows), rows, **settings)
        value.backward()
        return value

    search.step(closure)
    return row.detach()


def profiles() -> Tensor:
    """Skewed rows whose lengths go with their directions, so that the mean and the mean direction differ."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn((40, 5), generator=generator, dtype=torch.float64).exp()
    return rows * rows[:, :1]


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=-1, keepdim=True)


ELICITED: dict[str, Callable[[LossEntry, Any], None]] = {
    "mean": _mean,
    "median": _median,
    "between mean and median": _between_mean_and_median,
    "direction of the mean of the normalised profiles": _direction_of_normalised,
    "direction of the mean of the standardised profiles": _direction_of_standardised,
    "between direction and mean": _between_direction_and_mean,
}
