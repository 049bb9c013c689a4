"""Mutation testing of the mathematics: every small change to a loss or an activation must be noticed.

A mutant is one function of ``losslens/losses`` or ``losslens/activations`` with one change (``tests/changes.py``). It
is killed by the first check that rejects an entry which uses the function. A mutant that gives the same values and
gradients, but for rounding, on all probes counts as equivalent. ``python -m tests.mutation [MODULE ...]`` prints
counts and survivors.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np
import pytest
import torch
from tests import activation_facts as facts
from tests import activation_values as activations
from tests import contract_interface as interface
from tests import contract_mathematics as mathematics
from tests import contract_precision as precision
from tests.changes import Mutant, mutants, planted
from tests.contracts import CONTRACTS
from tests.samples import differentiable, draw, every_setting

from losslens.activations import ACTIVATIONS, ActivationEntry
from losslens.losses import LOSSES, LossEntry

JUDGES = (  # of losses, the quickest to notice first
    mathematics.value_equals_oracle,
    precision.right_in_float32,
    mathematics.gradient_equals_oracle,
    mathematics.zero_rows_have_a_way_out,
    interface.a_mask_drops_what_it_hides,
    interface.nothing_but_missing_values_is_zero,
    precision.right_in_bfloat16,
    mathematics.gradient_by_target_equals_oracle,
    precision.finite_where_numbers_are_subnormal,
    precision.finite_after_a_saturated_layer,
    mathematics.minimum_is_attained_at_the_target_alone,
    interface.reductions_keep_the_scale_contract,
)
EXACT = {torch.float64: 1e-12, torch.float32: 1e-4}

Check = tuple[str, Callable[[], None]]
Probe = tuple[np.ndarray, float]  # numbers, and the share of them that rounding may take


@dataclass(frozen=True)
class Subject:
    """What is mutated: the functions that the entries of a catalogue are made of; and what notices.

    ``checks`` raise where something is wrong with an entry; ``probes`` are its values and gradients at many points.
    """

    what: str
    catalogue: Mapping[str, Any]
    made_of: Callable[[Any], tuple[Any, ...]]
    checks: Callable[[Any], Iterator[Check]]
    probes: Callable[[Any], list[Probe]]
    proven_elsewhere: Callable[[Any], bool] = lambda entry: False
    shared: tuple[str, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        own = dict.fromkeys(self.made_of(entry)[0].__module__ for entry in self.catalogue.values())
        return (*own, *self.shared)

    def users(self, mutant: Mutant) -> list[Any]:
        """Two entries that call the function, themselves or through others, those of its own module first."""
        found = [entry for entry in self.catalogue.values() if self._uses(entry, mutant.function)]
        return sorted(found, key=lambda entry: self.made_of(entry)[0].__module__ != mutant.module)[:2]

    def _uses(self, entry: Any, function: str) -> bool:
        parts = [part for part in self.made_of(entry) if isinstance(part, FunctionType)]
        return not self.proven_elsewhere(entry) and any(function in _reached(part) for part in parts)


def _reached(function: FunctionType) -> set[str]:
    package = function.__module__.rpartition(".")[0]
    names, waiting = {function.__name__}, [function]
    while waiting:
        current = waiting.pop()
        for name in _names(current.__code__):
            thing = current.__globals__.get(name)
            raw = thing.entry.element if hasattr(thing, "entry") else thing
            if name not in names and isinstance(raw, FunctionType) and raw.__module__.startswith(package):
                names.add(name)
                waiting.append(raw)
    return names


def _names(code: Any) -> set[str]:
    inner = [constant for constant in code.co_consts if hasattr(constant, "co_names")]
    return set(code.co_names).union(*(_names(constant) for constant in inner))


def _contracts(entry: LossEntry) -> Iterator[Check]:
    for contract in JUDGES:
        if CONTRACTS[contract](entry):
            yield contract.__name__, partial(contract, entry, entry.function)


def _loss_probes(entry: LossEntry) -> list[Probe]:
    samples = [draw(entry, seed=seed, dtype=dtype) for seed in range(4) for dtype in (torch.float64, torch.float32)]
    samples += [sample for _, sample in precision.extremes(entry)]
    samples += [type(samples[0])(samples[0].arguments, settings) for settings in every_setting(entry, features=5)]
    if entry.reconstructs and entry.link is None:
        samples += [samples[0].put(output=0.0 * samples[0].output), samples[0].put(output=samples[0].target.clone())]
    found = [(_masked(entry, samples[0]), EXACT[torch.float64])]
    for sample in samples:
        rounding = EXACT[sample.output.dtype]
        found.append((mathematics.values(entry.function, sample), rounding))
        for name in sample.arguments:
            if name in differentiable(entry):
                found.append((mathematics.gradient(entry.function, sample, name), rounding))
    return found


def _masked(entry: LossEntry, sample: Any) -> np.ndarray:
    shape = interface.mask_shape(entry, sample)
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.7
    return entry.function(*sample.tensors, mask=mask, reduction="none", **sample.settings).detach().numpy()


def _values_and_facts(entry: ActivationEntry) -> Iterator[Check]:
    for check, cases in activations.VALUES.items():
        for of, options in cases:
            if of is entry:
                yield check.__name__, partial(check, entry, options)
    for fact in facts.FACTS:
        yield fact.__name__, partial(fact, entry)


def _activation_probes(entry: ActivationEntry) -> list[Probe]:
    found = []
    for dtype, rounding in EXACT.items():
        line = torch.cat([torch.tensor(activations.EXTREMES, dtype=dtype), activations.POINTS.to(dtype)])
        for options in activations.settings_of(entry):
            x = line if entry.acts == "element" else line[:90].reshape(2, 3, 3, 5)
            found += [(numbers, rounding) for numbers in _computed(entry, options, x)]
        if entry.inverse is not None:
            found.append((entry.inverse(line).numpy(), rounding))
    return found


def _computed(entry: ActivationEntry, options: dict[str, Any], x: torch.Tensor) -> Iterator[np.ndarray]:
    """Values, gradient, and the values of the layer."""
    x = x.reshape(-1, 1).expand(-1, options["num_parameters"]) if "num_parameters" in options else x
    x = x.clone().requires_grad_()
    values = entry.function(x, **options)
    yield values.detach().numpy()
    yield torch.autograd.grad((values * torch.arange(1, values.numel() + 1).view_as(values)).sum(), x)[0].numpy()
    yield entry.module(**options).to(x.dtype)(x).detach().numpy()


SUBJECTS = (
    Subject(
        "losses",
        LOSSES,
        lambda entry: (entry.element,),
        _contracts,
        _loss_probes,
        lambda entry: entry.graph,  # in tests/test_codes.py
        shared=("losslens.losses.special",),  # which has no member of its own
    ),
    Subject(
        "activations",
        ACTIVATIONS,
        lambda entry: (entry.compute, entry.make, entry.inverse),
        _values_and_facts,
        _activation_probes,
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: killed by a check, equivalent, or a survivor."""

    mutant: Mutant
    fate: str
    by: str = ""


def judge(mutant: Mutant, subject: Subject) -> Outcome | None:
    """None where no entry that the checks cover uses the function."""
    entries = subject.users(mutant)
    if not entries:
        return None
    for entry in entries:
        for name, check in subject.checks(entry):
            with planted(mutant):
                complaint = complains(check)
            if complaint:
                return Outcome(mutant, "killed", name)
    changes = any(_differs(mutant, entry, subject.probes) for entry in entries)
    return Outcome(mutant, "survived" if changes else "equivalent")


def complains(check: Callable[[], None]) -> bool:
    try:
        check()
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - a mutant may fail in any way, and each is noticed
        return True
    return False


def _differs(mutant: Mutant, entry: Any, probes: Callable[[Any], list[Probe]]) -> bool:
    before = probes(entry)
    with planted(mutant):
        try:
            after = probes(entry)
        except Exception:  # noqa: BLE001 - a mutant may fail in any way
            return True
    return not all(_alike(one, other, rounding) for (one, rounding), (other, _) in zip(before, after, strict=True))


def _alike(one: np.ndarray, other: np.ndarray, rounding: float) -> bool:
    size = np.abs(one[np.isfinite(one)]).max(initial=0.0)
    return one.shape == other.shape and np.allclose(one, other, rtol=rounding, atol=rounding * size, equal_nan=True)


def outcomes(module: str, subject: Subject) -> list[Outcome]:
    judged = (judge(mutant, subject) for mutant in mutants(sys.modules[module]))
    return [outcome for outcome in judged if outcome is not None]


def summary(found: list[Outcome]) -> str:
    fates = Counter(outcome.fate for outcome in found)
    changing = fates["killed"] + fates["survived"]
    share = fates["killed"] / changing if changing else 1.0
    return (
        f"{len(found)} mutants, {fates['equivalent']} equivalent, {fates['killed']} of {changing} killed ({share:.1%})"
    )


def main(names: list[str]) -> None:
    for subject in SUBJECTS:
        everything = []
        for module in subject.modules:
            if not names or module.rpartition(".")[2] in names:
                found = outcomes(module, subject)
                everything += found
                print(f"{module.rpartition('.')[2]}: {summary(found)}", flush=True)
                for outcome in found:
                    if outcome.fate == "survived":
                        print(f"    {outcome.mutant.name}")
        print(f"all {subject.what}: {summary(everything)}")


if __name__ == "__main__":
    main(sys.argv[1:])
