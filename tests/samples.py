"""Data for the contracts: outputs, targets and settings of any loss, and what its oracle says about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any

import mpmath as mp
import numpy as np
import torch
from torch import Tensor

from losslens.losses import LOSSES, LossEntry
from losslens.vocabulary.quantities import Domain

DIGITS = 150  # of the oracles: enough for 1 + 1e-60 and for differences of such numbers


Tables = dict[str, Any]
SIZES = {"features": 5, "classes": 5, "latent": 5, "units": 5, "points": 6}


@dataclass(frozen=True)
class Sample:
    """Arguments of one call: ``loss(*sample.tensors, **sample.settings)``."""

    arguments: dict[str, Tensor]
    settings: dict[str, Any]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return tuple(self.arguments.values())

    @property
    def output(self) -> Tensor:
        """The first tensor."""
        return self.tensors[0]

    @property
    def target(self) -> Tensor:
        """The last tensor."""
        return self.tensors[-1]

    def put(self, **tensors: Tensor) -> Sample:
        """With other tensors, by name; ``output`` is the first and ``target`` the last."""
        names = list(self.arguments)
        places = {"output": names[0], "target": names[-1]}
        return Sample(self.arguments | {places.get(name, name): t for name, t in tensors.items()}, self.settings)

    def rows(self, which: slice | Tensor) -> Sample:
        """Of every tensor that has a row for each sample."""
        size = len(self.output)
        kept = {name: tensor[which] if len(tensor) == size else tensor for name, tensor in self.arguments.items()}
        return Sample(kept, self.settings)


def draw(
    entry: LossEntry, rows: int = 4, features: int = 5, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Sample:
    """Random data of the loss's domain, at generic points: no error is zero, no output near another's.

    An oracle module may draw a member's arguments itself: ``<name>_arguments(generator, rows)``.
    """
    generator = torch.Generator().manual_seed(seed)
    special = getattr(oracle_module(entry), f"{entry.name}_arguments", None)
    drawn = special(generator, rows) if special else _drawn(entry, rows, features, generator)
    drawn = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in drawn.items()}
    return Sample(drawn, defaults(entry) | draw_parameters(entry, features, generator, dtype))


def _drawn(entry: LossEntry, rows: int, features: int, generator: torch.Generator) -> dict[str, Tensor]:
    sizes = SIZES | {"features": features, "batch": rows}
    drawn = {}
    for argument in entry.family.arguments:
        shape = _shape(argument.shape.split("|")[0], rows, sizes)
        maker = draw_target if argument.target else draw_output
        drawn[argument.name] = maker(entry, shape, generator)
    if entry.reconstructs and entry.link is None:  # away from kinks
        output, target = drawn["output"], drawn["target"]
        drawn["output"] = torch.where((output - target).abs() < 0.05, output + 0.25, output)
    return drawn


def _shape(names: str, rows: int, sizes: dict[str, int]) -> tuple[int, ...]:
    """Any number of dimensions stands for (batch, features) alone, and for (batch,) before others."""
    if names.strip() == "...":
        return rows, sizes["features"]
    return tuple(rows if name == "..." else sizes[name] for name in names.split())


def draw_output(entry: LossEntry, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    normal = 2.0 * torch.randn(shape, generator=generator, dtype=torch.float64)
    if entry.link == "sigmoid":
        return torch.sigmoid(normal)
    if entry.link == "log_softmax":
        return torch.log_softmax(normal, 1)
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
        Domain.SIGNS: 2.0 * uniform.round() - 1.0,
        Domain.LABELS: (SIZES["classes"] * uniform).long(),
        Domain.LOG_PROBABILITIES: -2.0 * normal.abs(),
    }[entry.domain]


def differentiable(entry: LossEntry) -> list[str]:
    """Names of the tensors and learned parameters that a gradient should reach."""
    names = [argument.name for argument in entry.family.arguments if not argument.target]
    return [name for name in [*names, *entry.parameters] if name not in entry.stops]


def draw_parameters(
    entry: LossEntry, features: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    return {
        name: torch.randn(features if fact.per == "feature" else (), generator=generator, dtype=torch.float64)
        .exp()
        .clamp(fact.range.low, fact.range.high)
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


def remembered(oracle: Any) -> Any:
    """An oracle's answers are kept: many contracts, and all mutants of a loss, ask the same."""
    answers: dict[Any, np.ndarray] = {}

    @wraps(oracle)
    def ask(entry: LossEntry, sample: Sample, *by: str) -> np.ndarray:
        settings = tuple((name, _key(value)) for name, value in sample.settings.items())
        question = (entry.name, by, tuple(_key(tensor) for tensor in sample.tensors), settings)
        if question not in answers:
            answers[question] = oracle(entry, sample, *by)
        return answers[question]

    return ask


def _key(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape), str(value.dtype), value.detach().double().numpy().tobytes()
    return value


@remembered
def oracle_values(entry: LossEntry, sample: Sample) -> np.ndarray:
    """What the oracle gives for every element, sample or batch, rounded to float64 from many digits."""
    with mp.workdps(DIGITS):
        values = _evaluate(entry, _tables(sample), _settings(entry, sample))
        return np.vectorize(float, otypes=[float])(values)


@remembered
def oracle_gradient(entry: LossEntry, sample: Sample, by: str | None = None) -> np.ndarray:
    """The oracle's derivative by each number of a tensor (the first, if not named).

    Central differences with steps of 1e-30 of the largest number of the row, in the oracle's many digits.
    """
    with mp.workdps(DIGITS):
        name, tables, settings = by or next(iter(sample.arguments)), _tables(sample), _settings(entry, sample)
        found = np.zeros(tables[name].shape)
        for index in np.ndindex(found.shape):
            found[index] = float(_derivative(entry, tables, settings, name, index))
        return found


def _derivative(entry: LossEntry, tables: Tables, settings: Tables, name: str, index: tuple[int, ...]) -> Any:
    """Of the sum of all values; only those are computed that the number at ``index`` has a part in."""
    cut = tuple(slice(i, i + 1) for i in index)
    if entry.family.gives == "element":
        tables = {n: table[cut] for n, table in tables.items()}
        settings = {n: value[cut] for n, value in settings.items()}
        index = (0,) * len(index)
    elif entry.independent and entry.family.gives == "sample":
        tables = {n: table[cut[:1]] for n, table in tables.items()}
        index = (0, *index[1:])
    size = max(abs(value) for value in np.atleast_1d(tables[name][index[:1]]).flat)
    step = size * mp.mpf("1e-30") or mp.mpf("1e-40")
    above, below = (_total(entry, tables, settings, name, index, by) for by in (step, -step))
    return (above - below) / (2 * step)


def _total(entry: LossEntry, tables: Tables, settings: Tables, name: str, index: tuple[int, ...], by: Any) -> Any:
    moved = tables[name].copy()
    moved[index] += by
    return mp.fsum(np.atleast_1d(_evaluate(entry, tables | {name: moved}, settings)).flat)


def oracle_module(entry: LossEntry) -> Any:
    home = LOSSES.get(entry.name, entry).element.__module__  # a mutant is measured by the oracle of what it mutates
    return import_module(f"tests.oracles.{home.rpartition('.')[2]}")


def oracle_of(entry: LossEntry) -> Any:
    return getattr(oracle_module(entry), entry.name)


def _evaluate(entry: LossEntry, tables: Tables, settings: Tables) -> np.ndarray:
    """The oracle's numbers. It sees one element, one row of each tensor, or whole tables as lists of rows."""
    oracle = oracle_of(entry)
    shape = next(iter(tables.values())).shape
    if entry.family.gives == "element":
        return _filled(
            shape, lambda i: oracle(*(t[i] for t in tables.values()), **{n: v[i] for n, v in settings.items()})
        )
    if entry.family.gives == "sample" and entry.independent:
        return _filled(shape[:1], lambda i: oracle(*(_listed(t[i[0]]) for t in tables.values()), **settings))
    return np.array(oracle(*(table.tolist() for table in tables.values()), **settings), dtype=object)


def _filled(shape: tuple[int, ...], at: Any) -> np.ndarray:
    values = np.empty(tuple(shape), dtype=object)
    for index in np.ndindex(values.shape):
        values[index] = at(index)
    return values


def _listed(row: Any) -> Any:
    return row.tolist() if isinstance(row, np.ndarray) else row


def _tables(sample: Sample) -> Tables:
    return {name: _exact(tensor) for name, tensor in sample.arguments.items()}


def _settings(entry: LossEntry, sample: Sample) -> Tables:
    """Settings as the oracle takes them: one for each element, or exact numbers and choices."""
    if entry.family.gives == "element":
        return {name: _spread(value, sample.output.shape) for name, value in sample.settings.items()}
    return {name: _plain(value) for name, value in sample.settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _listed(_exact(value)) if value.dim() else _exact(value)[()]
    return mp.mpf(value) if isinstance(value, float) else value


def _spread(value: Any, shape: torch.Size) -> np.ndarray:
    if isinstance(value, Tensor):
        return _exact(value.expand(shape))
    return np.full(tuple(shape), _plain(value), dtype=object)


def _exact(numbers: Tensor) -> np.ndarray:
    whole = not numbers.is_floating_point()
    values = numbers.detach().numpy() if whole else numbers.detach().double().numpy()
    return _filled(values.shape, lambda i: int(values[i]) if whole else mp.mpf(float(values[i])))
