"""Which number a loss elicits: the constant prediction that minimises it over a skewed sample, measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from scipy.optimize import brentq
from tests.samples import defaults
from torch import Tensor

from losslens.losses import LossEntry
from losslens.vocabulary.quantities import Domain


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


ELICITED: dict[str, Callable[[LossEntry, Any], None]] = {
    "mean": _mean,
    "median": _median,
    "between mean and median": _between_mean_and_median,
}
