"""Which number a loss elicits: the constant prediction that minimises it over a skewed sample, measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from scipy.optimize import brentq
from scipy.special import digamma
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
    return data, float(best if entry.prediction is None else entry.prediction(best, **learned))


def _geometric_mean(entry: LossEntry, loss: Any) -> None:
    data, best = _best_constant(entry, loss)
    wanted = float(data.log().mean().exp())
    assert abs(best - wanted) < 1e-8, f"the best constant is {best:g}, the geometric mean is {wanted:g}"


def _mean_logit(entry: LossEntry, loss: Any) -> None:
    """Of a beta distribution of shapes m and 1 - m the mean logit is digamma(m) - digamma(1 - m)."""
    data, best = _best_constant(entry, loss)
    found, wanted = float(digamma(best) - digamma(1.0 - best)), float(data.logit().mean())
    assert abs(found - wanted) < 1e-8, f"the mean logit at the best constant is {found:g}, of the data {wanted:g}"


def _mean_if_parameters_fit(entry: LossEntry, loss: Any) -> None:
    """At the joint minimum over the constant and all learned parameters, on counts with zeros to spare."""
    data = (skewed(entry.domain) + 5.0) * (skewed(Domain.BINARY) == 0)
    logs = torch.zeros(1 + len(entry.parameters), dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [logs], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-12, tolerance_change=0
    )

    def total() -> Tensor:
        search.zero_grad()
        constant, *parameters = logs.exp()
        learned = dict(zip(entry.parameters, parameters, strict=True))
        value = loss(constant.expand_as(data), data, reduction="sum", **learned) / len(data)
        value.backward()
        return value

    search.step(total)
    constant, *parameters = logs.detach().exp()
    learned = dict(zip(entry.parameters, parameters, strict=True))
    found, wanted = float(entry.prediction(constant, **learned)), float(data.mean())  # type: ignore[misc]
    assert abs(float(constant) - wanted) > 0.1 * wanted, "nothing is inflated: the output itself is the mean"
    assert abs(found - wanted) < 1e-6 * wanted, f"the best prediction is {found:g}, the mean is {wanted:g}"


def skewed(domain: Domain) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(301, generator=generator, dtype=torch.float64)
    uniform = torch.rand(301, generator=generator, dtype=torch.float64)
    return {
        Domain.UNIT: uniform**3,
        Domain.OPEN_UNIT: uniform**3,
        Domain.BINARY: (uniform < 0.3).double(),
        Domain.COUNTS: (2.0 * normal.exp()).floor(),
    }.get(domain, normal.exp())


ELICITED: dict[str, Callable[[LossEntry, Any], None]] = {
    "mean": _mean,
    "median": _median,
    "between mean and median": _between_mean_and_median,
    "geometric mean": _geometric_mean,
    "mean logit under the distribution": _mean_logit,
    "mean, if its parameters fit": _mean_if_parameters_fit,
}
