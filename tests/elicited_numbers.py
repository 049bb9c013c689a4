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

    low, high = (1e-3, float(data.max())) if entry.link in ("softmax", "softplus") else (-60.0, 60.0)
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


def _quantile(entry: LossEntry, loss: Any) -> None:
    data, best = _best_constant(entry, loss)
    below = float((data < best - 1e-6).double().mean()), float((data <= best + 1e-6).double().mean())
    level = entry.options["level"].default
    assert below[0] <= level <= below[1], f"a share between {below} lies below the best constant, not {level}"


def _expectile(entry: LossEntry, loss: Any) -> None:
    data, best = _best_constant(entry, loss)
    level = entry.options["level"].default
    above, under = ((sign * (data - best)).clamp_min(0.0).sum() for sign in (1.0, -1.0))
    ratio = float(above * level / (under * (1.0 - level)))
    assert abs(ratio - 1.0) < 1e-6, f"shortfall and excess are balanced {ratio:g} to 1"
    assert abs(best - float(data.mean())) > 0.1, "the mean"


def _mean_of_logs(entry: LossEntry, loss: Any) -> None:
    data, best = _best_constant(entry, loss)
    wanted = float(torch.expm1(torch.log1p(data).mean()))
    assert abs(best - wanted) < 1e-8, f"the best constant is {best:g}, not {wanted:g}"


def _redescending(entry: LossEntry, loss: Any) -> None:
    """Small errors pull in proportion, like those of the mean; far ones hardly at all."""
    error = torch.tensor([1e-5, 2e-5, 0.5, 1.0, 1e6], dtype=torch.float64, requires_grad=True)
    total = loss(error, torch.zeros_like(error), reduction="sum", **defaults(entry))
    (pull,) = torch.autograd.grad(total, error)
    assert abs(float(pull[1] / pull[0]) - 2.0) < 1e-6, "small errors do not pull in proportion"
    assert float(pull[4]) < 1e-4 * float(pull.max()), f"an error of a million still pulls with {pull[4]:g}"


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
    "quantile": _quantile,
    "expectile": _expectile,
    "redescending location": _redescending,
    "mean of log(1 + x)": _mean_of_logs,
    "geometric mean": _geometric_mean,
    "mean logit under the distribution": _mean_logit,
    "mean, if its parameters fit": _mean_if_parameters_fit,
}
