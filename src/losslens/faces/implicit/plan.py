"""What was asked of ``implicit``, checked and completed by what suits the task."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from losslens.faces.implicit.tasks import TASKS, Problem
from losslens.models.coordinates import CoordinateNetwork, ImplicitSpec, NetworkKind
from losslens.models.spec import Spec
from losslens.run.fields import Field, content_hash
from losslens.run.fitting import Fitting, FittingSpec
from losslens.vocabulary.errors import BadInput, unknown

Checked = TypeVar("Checked", bound=Spec)
KINDS: tuple[NetworkKind, ...] = get_args(NetworkKind)
SCALE_OF_OMEGA = 6.0  # Fourier features of a scale reach about as far as a first omega of six times it


@dataclass(frozen=True)
class Plan:
    """Everything that was asked for, checked."""

    problem: Problem
    networks: tuple[ImplicitSpec, ...]
    fitting: FittingSpec
    steps: int
    task: str
    source: str

    @property
    def identity(self) -> str:
        """What an earlier run in the same folder must have had in common."""
        settings = self.networks[0].model_dump_json() + self.fitting.model_dump_json()
        return content_hash(self.problem.field.content + settings)

    def start(self, network: ImplicitSpec) -> Fitting:
        """A training before its first step."""
        return Fitting(self.problem.field, CoordinateNetwork.build(network, self.fitting.seed), self.fitting)


def make_plan(
    task: str,
    source: Any,
    network: str,
    baselines: Sequence[str] | None,
    steps: int | None,
    asked: dict[str, Any],
    training: dict[str, Any],
    options: dict[str, Any],
) -> Plan:
    """Settings that were not asked for are those that suit the task."""
    problem = _problem(task, source, {name: value for name, value in options.items() if value is not None})
    usual, field = problem.usual, problem.field
    asked = {name: value for name, value in asked.items() if value is not None}
    common = {"hidden": usual.hidden, "omega": usual.omega, "first_omega": usual.first_omega, **asked}
    if "omega" in asked and "first_omega" not in asked and usual.first_omega == usual.omega:
        common["first_omega"] = asked["omega"]
    common = {"scale": common["first_omega"] / SCALE_OF_OMEGA, **common}
    networks = [
        _checked(ImplicitSpec, {"inputs": field.inputs, "outputs": field.outputs, "kind": kind, **common})
        for kind in dict.fromkeys([network, *_baselines(field, network, baselines)])
    ]
    if training["learning_rate"] is None:
        training["learning_rate"] = usual.learning_rate
    steps = usual.steps if steps is None else steps
    if steps < 1:
        raise BadInput(expected="one or more steps", found=str(steps))
    name = Path(source).name if isinstance(source, str | Path) else "" if source is None else "array"
    return Plan(problem, tuple(networks), _checked(FittingSpec, training), steps, task, name)


def _baselines(field: Field, network: str, asked: Sequence[str] | None) -> Sequence[str]:
    """The networks beside the first; where nothing was said, all that can be."""
    can = [kind for kind in KINDS if field.order < 2 or kind != "relu"]
    for kind in (network, *(asked or ())):
        if kind not in KINDS:
            raise unknown("network", kind, KINDS)
        if kind not in can:
            raise BadInput(
                expected=f"networks with second derivatives, which '{field.name}' asks for",
                found="relu, whose second derivatives are zero everywhere",
                remedy=f"Take {', '.join(can)}.",
            )
    return can if asked is None else asked


def _problem(task: str, source: Any, options: dict[str, Any]) -> Problem:
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    known = inspect.signature(TASKS[task]).parameters
    if ("source" in known) != (source is not None):
        wanted = "no data" if source is not None else "a path or an array"
        raise BadInput(expected=f"{wanted} for '{task}'", found="none" if source is None else str(source))
    for name in options:
        if name not in known:
            mine = ", ".join(option for option in known if option != "source")
            raise BadInput(expected=f"an option of '{task}' ({mine})", found=repr(name))
    if options.get("points", 1) < 1:
        raise BadInput(expected="one or more points at each step", found=str(options["points"]))
    return TASKS[task](*([] if source is None else [source]), **options)


def _checked(kind: type[Checked], values: dict[str, Any]) -> Checked:
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        raise BadInput(expected=f"{where}: {first['msg'].lower()}", found=repr(first["input"])) from error
