"""Small changes to functions: an operator, a number, a comparison, a sign, a call; planted in place, one at a time."""

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
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

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
    "cumsum": "cumprod",
    "atanh": "tanh",
    "sigmoid": "tanh",
    "logsigmoid": "softplus",
    "softsign": "tanh",
    "relu": "softplus",
    "relu6": "relu",
    "leaky_relu": "elu",
    "elu": "celu",
    "selu": "elu",
    "gelu": "silu",
    "silu": "mish",
    "mish": "silu",
    "hardswish": "silu",
    "softmax": "log_softmax",
    "log_softmax": "softmax",
    "softmin": "softmax",
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
    options = {argument.arg for argument in definition.args.kwonlyargs}
    for index, node in enumerate(places):
        for what, edit in [*_edits(node), *_forgotten(node, options), *_doubled(node, definition)]:
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


def _doubled(node: ast.AST, definition: ast.FunctionDef) -> Iterator[tuple[str, Edit]]:
    """What is given back, twice, where it is a number: twice a layer or a tuple would not run."""
    number = definition.returns is None or ast.unparse(definition.returns) != "nn.Module"
    if number and isinstance(node, ast.Return) and not isinstance(node.value, ast.Tuple | None):
        yield "doubled", _double


def _forgotten(node: ast.AST, options: set[str]) -> Iterator[tuple[str, Edit]]:
    """Options of the function that are no longer passed on: a keyword, or the last argument of several."""
    if not isinstance(node, ast.Call):
        return
    if len(node.args) > 1 and isinstance(node.args[-1], ast.Name) and node.args[-1].id in options:
        yield f"{node.args[-1].id} not passed on", lambda call: call.args.pop()
    for place, keyword in enumerate(node.keywords):
        if isinstance(keyword.value, ast.Name) and keyword.value.id in options:
            yield f"{keyword.value.id} not passed on", partial(_without_keyword, place)


def _without_keyword(place: int, call: ast.Call) -> None:
    del call.keywords[place]


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
