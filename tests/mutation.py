"""Mutation testing of the mathematics: every small change to a loss that changes a value must be noticed.

A mutant is one function of ``losslens/losses`` with one change: an operator, a number, a comparison, a sign, a call. It
is killed by the first contract that rejects it. A mutant that gives the same values and gradients, but for
rounding, on all probes counts as equivalent. ``python -m tests.mutation [MODULE ...]`` prints counts
and survivors.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from tests import contract_interface as interface
from tests import contract_mathematics as mathematics
from tests import contract_precision as precision
from tests.contracts import CONTRACTS
from tests.samples import differentiable, draw, every_setting

from losslens.losses import LOSSES, LossEntry

SHARED = ("losslens.losses.special",)  # has no member of its own
MODULES = (*dict.fromkeys(entry.element.__module__ for entry in LOSSES.values()), *SHARED)
JUDGES = (  # the quickest to notice first
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
ARITHMETIC: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
}
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
CALLS = {
    "sum": "mean",
    "mean": "sum",
    "log": "log1p",
    "log1p": "log",
    "exp": "expm1",
    "expm1": "exp",
    "sqrt": "square",
    "square": "abs",
    "abs": "neg",
    "amax": "amin",
    "maximum": "minimum",
    "minimum": "maximum",
    "clamp_min": "clamp_max",
    "lgamma": "digamma",
    "detach": "clone",
    "softplus": "relu",
    "tanh": "sigmoid",
    "cos": "sin",
    "sin": "cos",
}


@dataclass(frozen=True)
class Mutant:
    """One change to one function."""

    module: str
    function: str
    line: int
    change: str
    code: Any

    @property
    def name(self) -> str:
        """Where it is and what was changed, without line numbers, so that it stays the same when lines move."""
        return f"{self.module.rpartition('.')[2]}.{self.function}: {self.change}"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: killed by a contract, equivalent, or a survivor."""

    mutant: Mutant
    fate: str
    by: str = ""


def functions(module: ModuleType) -> dict[str, FunctionType]:
    """The plain functions written in a module: losses without their public shell, and helpers."""
    found = {}
    for name, thing in vars(module).items():
        raw = thing.entry.element if hasattr(thing, "entry") else thing
        if isinstance(raw, FunctionType) and raw.__module__ == module.__name__:
            found[name] = raw
    return found


def mutants(module: ModuleType) -> Iterator[Mutant]:
    for name, function in functions(module).items():
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        definition = tree.body[0]
        if not isinstance(definition, ast.FunctionDef):  # a lambda
            continue
        definition.decorator_list = []
        seen: Counter[str] = Counter()
        for change, line, mutated in _changes(definition):
            seen[change] += 1
            label = change if seen[change] == 1 else f"{change} ({seen[change]})"
            yield Mutant(module.__name__, name, line, label, _compiled(mutated, module, name))


def _compiled(definition: ast.FunctionDef, module: ModuleType, name: str) -> Any:
    tree = ast.fix_missing_locations(ast.Module([definition], []))
    scope: dict[str, Any] = {}
    exec(compile(tree, f"<mutant of {name}>", "exec", flags=_future(module)), dict(vars(module)), scope)
    return scope[name].__code__


def _future(module: ModuleType) -> int:
    return module.annotations.compiler_flag if hasattr(module, "annotations") else 0


def _changes(definition: ast.FunctionDef) -> Iterator[tuple[str, int, ast.FunctionDef]]:
    """Every change, each on a copy of the definition; the signature and the docstring stay."""
    body = definition.body[1:] if ast.get_docstring(definition) is not None else definition.body
    places = [node for statement in body for node in ast.walk(statement)]
    for index, node in enumerate(places):
        for what, edit in _edits(node):
            copy = deepcopy(definition)
            statements = copy.body[len(copy.body) - len(body) :]
            twin = [inner for statement in statements for inner in ast.walk(statement)][index]
            edit(twin)
            yield f"{what} in {' '.join(ast.unparse(node).split())[:80]}", getattr(node, "lineno", 0), copy


Edit = Callable[[Any], None]


def _edits(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    """What may be changed at a node, and how to do it there."""
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield (
            f"{type(node.op).__name__} to {ARITHMETIC[type(node.op)].__name__}",
            _set("op", ARITHMETIC[type(node.op)]()),
        )
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS.get(type(node.ops[0]), ()):
            yield f"{type(node.ops[0]).__name__} to {other.__name__}", _set("ops", [other()])
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        yield f"{node.value} to {node.value + 1}", _set("value", node.value + 1)
        if node.value not in (0, 1):
            yield f"{node.value} to {node.value * 0.9:.6g}", _set("value", node.value * 0.9)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "minus dropped", _set("op", ast.UAdd())
    if isinstance(node, ast.Attribute) and node.attr in CALLS:
        yield f"{node.attr} to {CALLS[node.attr]}", _set("attr", CALLS[node.attr])
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "where"
        and len(node.args) == 3
    ):
        yield "branches swapped", _swap
    if isinstance(node, ast.IfExp):
        yield "branches swapped", _swap_if
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        yield "doubled", _double


def _set(field: str, value: Any) -> Edit:
    return lambda node: setattr(node, field, value)


def _swap(node: ast.Call) -> None:
    node.args[1], node.args[2] = node.args[2], node.args[1]


def _swap_if(node: ast.IfExp) -> None:
    node.body, node.orelse = node.orelse, node.body


def _double(node: ast.Return) -> None:
    assert node.value is not None
    node.value = ast.BinOp(node.value, ast.Mult(), ast.Constant(2))


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The change in place, wherever the function is used."""
    function = functions(sys.modules[mutant.module])[mutant.function]
    original = function.__code__
    function.__code__ = mutant.code
    try:
        yield
    finally:
        function.__code__ = original


def users(module: ModuleType, function: str) -> list[LossEntry]:
    """The losses that call a function, themselves or through others, those of its own module first."""
    found = [entry for entry in LOSSES.values() if function in _reached(entry.element) and not entry.graph]
    return sorted(found, key=lambda entry: entry.element.__module__ != module.__name__)


def _reached(function: FunctionType) -> set[str]:
    names, waiting = {function.__name__}, [function]
    while waiting:
        current = waiting.pop()
        for name in _names(current.__code__):
            thing = current.__globals__.get(name)
            raw = thing.entry.element if hasattr(thing, "entry") else thing
            if name not in names and isinstance(raw, FunctionType) and raw.__module__.startswith("losslens.losses"):
                names.add(name)
                waiting.append(raw)
    return names


def _names(code: Any) -> set[str]:
    inner = [constant for constant in code.co_consts if hasattr(constant, "co_names")]
    return set(code.co_names).union(*(_names(constant) for constant in inner))


def probes(entry: LossEntry) -> list[tuple[np.ndarray, float]]:
    """Values and gradients at many points, each with the share that rounding may take."""
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


def judge(mutant: Mutant) -> Outcome | None:
    """None where no loss that the contracts cover uses the function."""
    entries = users(sys.modules[mutant.module], mutant.function)[:2]
    if not entries:
        return None
    for entry in entries:
        for contract in JUDGES:
            if CONTRACTS[contract](entry):
                with planted(mutant):
                    complaint = _complaint(contract, entry)
                if complaint:
                    return Outcome(mutant, "killed", contract.__name__)
    return Outcome(mutant, "survived" if any(_differs(mutant, entry) for entry in entries) else "equivalent")


def _complaint(contract: Any, entry: LossEntry) -> bool:
    try:
        contract(entry, entry.function)
    except Exception:  # noqa: BLE001 - a mutant may fail in any way, and each is noticed
        return True
    return False


def _differs(mutant: Mutant, entry: LossEntry) -> bool:
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


def outcomes(module: str) -> list[Outcome]:
    judged = (judge(mutant) for mutant in mutants(sys.modules[module]))
    return [outcome for outcome in judged if outcome is not None]


def summary(found: list[Outcome]) -> str:
    fates = Counter(outcome.fate for outcome in found)
    changing = fates["killed"] + fates["survived"]
    share = fates["killed"] / changing if changing else 1.0
    return (
        f"{len(found)} mutants, {fates['equivalent']} equivalent, {fates['killed']} of {changing} killed ({share:.1%})"
    )


def main(names: list[str]) -> None:
    everything = []
    for module in MODULES:
        if not names or module.rpartition(".")[2] in names:
            found = outcomes(module)
            everything += found
            print(f"{module.rpartition('.')[2]}: {summary(found)}", flush=True)
            for outcome in found:
                if outcome.fate == "survived":
                    print(f"    {outcome.mutant.name}")
    print(f"all: {summary(everything)}")


if __name__ == "__main__":
    main(sys.argv[1:])
