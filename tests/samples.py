"""Data for the contracts: outputs, targets and settings of any loss, and what its oracle says about them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import mpmath as mp
import numpy as np
import torch
from torch import Tensor

from losslens.losses import LOSSES, LossEntry
from losslens.vocabulary.quantities import Domain

DIGITS = 150  # of the oracles: enough for 1 + 1e-60 and for differences of such numbers


@dataclass(frozen=True)
class Sample:
    """Arguments of one call: ``loss(sample.output, sample.target, **sample.settings)``."""

    output: Tensor
    target: Tensor
    settings: dict[str, Any]

    def rows(self, which: slice | Tensor) -> Sample:
        return Sample(self.output[which], self.target[which], self.settings)


def draw(
    entry: LossEntry, rows: int = 4, features: int = 5, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Sample:
    """Random data of the loss's domain, at generic points: no error is zero, no output near another's."""
    generator = torch.Generator().manual_seed(seed)
    output = draw_output(entry, (rows, features), generator).to(dtype)
    target = draw_target(entry, (rows, features), generator).to(dtype)
    if entry.link is None:  # away from kinks
        output = torch.where((output - target).abs() < 0.05, output + 0.25, output)
    return Sample(output, target, defaults(entry) | draw_parameters(entry, features, generator, dtype))


def draw_output(entry: LossEntry, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    normal = 2.0 * torch.randn(shape, generator=generator, dtype=torch.float64)
    return (normal / 2.0).exp() if entry.link in ("softmax", "softplus") else normal


def draw_target(entry: LossEntry, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
    return {
        Domain.REAL: 2.0 * normal,
        Domain.NON_NEGATIVE: normal.abs(),
        Domain.POSITIVE: normal.exp(),
        Domain.UNIT: uniform,
        Domain.OPEN_UNIT: uniform,
        Domain.BINARY: uniform.round(),
        Domain.COUNTS: (2.0 * normal.exp()).floor(),
    }[entry.domain]


def draw_parameters(
    entry: LossEntry, features: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    return {
        name: torch.randn(features if fact.per == "feature" else (), generator=generator, dtype=torch.float64)
        .exp()
        .to(dtype)
        for name, fact in entry.parameters.items()
    }


def defaults(entry: LossEntry) -> dict[str, float]:
    return {name: option.default for name, option in entry.options.items()}


def every_setting(entry: LossEntry, features: int, dtype: torch.dtype = torch.float64) -> list[dict[str, Any]]:
    """Options and parameters at their defaults, then each in turn at both ends of its range."""
    initial = {
        n: torch.full((features,) if f.per == "feature" else (), f.initial, dtype=dtype)
        for n, f in entry.parameters.items()
    }
    base = defaults(entry) | initial
    ends = [base]
    for name, fact in (entry.options | entry.parameters).items():
        for end in fact.range.ends:
            ends.append(base | {name: end if name in entry.options else torch.full_like(base[name], end)})
    return ends


def oracle_values(entry: LossEntry, sample: Sample) -> np.ndarray:
    """What the oracle gives for every element or sample, rounded to float64 from many digits."""
    with mp.workdps(DIGITS):
        return _table(entry, sample, lambda evaluate, output: evaluate(output))


def oracle_gradient(entry: LossEntry, sample: Sample) -> np.ndarray:
    """The oracle's derivative by each output: central differences with steps of 1e-30 of the number."""
    with mp.workdps(DIGITS):
        if entry.family.gives == "element":
            return _table(entry, sample, _derivative)
        by_feature = [_table(entry, sample, _partial(i)) for i in range(sample.output.shape[-1])]
        return np.stack(by_feature, axis=-1)


def oracle_of(entry: LossEntry) -> Any:
    home = LOSSES.get(entry.name, entry).element.__module__  # a mutant is measured by the oracle of what it mutates
    module = home.rpartition(".")[2]
    return getattr(import_module(f"tests.oracles.{module}"), entry.name)


def _table(entry: LossEntry, sample: Sample, use: Any) -> np.ndarray:
    """``use(evaluate, output)`` for every element or row of a (rows, features) sample."""
    output, target = _exact(sample.output), _exact(sample.target)
    settings = {name: _spread(value, sample.output.shape) for name, value in sample.settings.items()}
    if entry.family.gives == "sample":
        scalars = {name: value[0, 0] for name, value in settings.items()}
        results = [use(_call(entry, list(t), scalars), list(o)) for o, t in zip(output, target, strict=True)]
        return np.array([float(r) for r in results])
    results = [
        float(use(_call(entry, target[i], {name: value[i] for name, value in settings.items()}), output[i]))
        for i in np.ndindex(output.shape)
    ]
    return np.array(results).reshape(output.shape)


def _call(entry: LossEntry, target: Any, settings: dict[str, Any]) -> Any:
    oracle = oracle_of(entry)
    return lambda output: oracle(output, target, **settings)


def _spread(value: Any, shape: torch.Size) -> np.ndarray:
    return _exact(torch.as_tensor(value, dtype=torch.float64 if isinstance(value, float) else None).expand(shape))


def _exact(numbers: Tensor) -> np.ndarray:
    values = numbers.detach().to(torch.float64).numpy()
    exact = np.empty(values.shape, dtype=object)
    for index in np.ndindex(values.shape):
        exact[index] = mp.mpf(float(values[index]))
    return exact


def _derivative(evaluate: Any, output: Any) -> Any:
    step = abs(output) * mp.mpf("1e-30") or mp.mpf("1e-40")
    return (evaluate(output + step) - evaluate(output - step)) / (2 * step)


def _partial(index: int) -> Any:
    def use(evaluate: Any, row: list[Any]) -> Any:
        size = max(abs(value) for value in row) or mp.mpf(1)
        along = lambda value: evaluate([*row[:index], value, *row[index + 1 :]])  # noqa: E731
        step = size * mp.mpf("1e-30")
        return (along(row[index] + step) - along(row[index] - step)) / (2 * step)

    return use
