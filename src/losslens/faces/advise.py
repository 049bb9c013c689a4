"""``advise``: which losses and activations suit the data, and why, before anything is trained."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from losslens.data.gate import Observation, look
from losslens.data.profiles import Profiles
from losslens.data.readers import read
from losslens.data.transforms import TRANSFORMS
from losslens.data.working import sample, shape
from losslens.data.zero_inflation import ZeroShares, zero_shares
from losslens.faces.goal import settle_goal
from losslens.measure.concentration import COUNTER_EVIDENCE
from losslens.measure.contrast import View, view
from losslens.measure.goals import GOALS
from losslens.models.spec import ModelSpec
from losslens.report.build import dataset
from losslens.report.document import Dataset, Goal
from losslens.run.advice import Advice, Hint, activations, advised, reference, traps
from losslens.run.composition import Shared
from losslens.run.plan import plan
from losslens.run.situation import Situation
from losslens.run.spec import TrainingSpec

PRIOR = (
    "This is advice before any measurement: rules of thumb applied to figures of the data. What a comparison finds on "
    "held-out data outranks it."
)


@dataclass(frozen=True, eq=False)
class Guidance:
    """What to minimise on some data, in no order of merit, with the figures that speak for it.

    ``command`` measures it, beside the squared error as the loss to beat; ``contrast`` is how distances concentrate in
    these data, to be read with the published counter-evidence beside it.

    >>> found = losslens.advise("digits")
    >>> found.goal.name, found.losses[0].name
    ('magnitude', 'continuous_bernoulli')
    """

    dataset: Dataset
    goal: Goal
    losses: tuple[Advice, ...]
    activations: tuple[Hint, ...]
    traps: tuple[Hint, ...]
    zeros: ZeroShares | None
    contrast: View
    command: str
    prior: str = PRIOR
    counter_evidence: str = COUNTER_EVIDENCE

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        contrast = {**asdict(self.contrast), "meaning": self.contrast.meaning, "neighbours": self.contrast.neighbours}
        zeros = None if self.zeros is None else {**asdict(self.zeros), "clear excess": self.zeros.clear}
        parts = {
            "goal": self.goal.model_dump(),
            "prior": self.prior,
            "losses": [asdict(each) for each in self.losses],
            "activations": [asdict(each) for each in self.activations],
            "traps": [asdict(each) for each in self.traps],
            "zeros": zeros,
            "contrast": contrast,
            "counter-evidence": self.counter_evidence,
            "command": self.command,
        }
        return {name: _plain(part) for name, part in (self.dataset.model_dump() | parts).items()}


def advise(
    data: Any,
    *,
    label: Any = None,
    group: Any = None,
    id_column: str | None = None,
    transpose: bool = False,
    layer: str | None = None,
    size: int | None = None,
    kind: str | None = None,
    goal: str | None = None,
    seed: int = 0,
) -> Guidance:
    """Say which losses and activations suit data, and why; nothing is trained.

    ``data`` and the options of reading are those of :func:`losslens.compare`; ``goal`` is direction, magnitude,
    likelihood or code, and ``seed`` draws the rows that distances are measured between.

    Raises:
        UnknownName: no such goal or kind.
        BadInput: the data cannot be read, or cannot serve the goal.

    >>> import numpy
    >>> counts = numpy.random.default_rng(0).negative_binomial(2, 0.1, size=(80, 20))
    >>> [each.name for each in losslens.advise(counts).losses]
    ['negative_binomial', 'mse+softplus', 'cosine+softplus', 'cosine_plus_mse+softplus']
    """
    aim = None if goal is None else GOALS[goal].name
    profiles = read(data, label=label, group=group, id_column=id_column, transpose=transpose, layer=layer, size=size)
    seen = look(profiles, kind)
    drawn = sample(profiles, seen, seed)
    at = Situation(
        seen,
        shape(drawn, seen.kind.domain),
        zero_shares(profiles, seed) if seen.kind.counts else None,
        aim or seen.kind.goal,
        0 if profiles.labels is None else len(set(profiles.labels)),
    )
    losses = tuple(advised(at))
    names = [each.name for each in losses]
    options = {"label": label, "group": group, "id": id_column, "layer": layer, "kind": kind, "goal": aim}
    options["size"] = None if size is None else str(size)
    return Guidance(
        dataset=_dataset(profiles, seen, drawn.space),
        goal=_goal(aim, profiles, seen, names),
        losses=losses,
        activations=tuple(activations(at)),
        traps=tuple(traps(at)),
        zeros=at.zeros,
        contrast=view(drawn.values, drawn.labels, seed),
        command=_command(data, options, transpose, [*names, *reference(at, losses)]),
    )


def _dataset(profiles: Profiles, seen: Observation, space: str) -> Dataset:
    return dataset(profiles, seen, space, TRANSFORMS[seen.kind.transform].summary)


def _goal(aim: str | None, profiles: Profiles, seen: Observation, names: list[str]) -> Goal:
    """As a comparison of these losses would settle it."""
    intended = plan(
        seen,
        Shared(model=ModelSpec(), training=TrainingSpec()),
        content_hash=profiles.content_hash,
        losses=names,
        models=(),
        repeats=1,
        seed=0,
    )
    return settle_goal(aim, profiles, seen, intended)


def _command(data: Any, options: dict[str, Any], transpose: bool, names: list[str]) -> str:
    """The comparison that measures the advice; what is no text on a command line stands as its name in capitals."""
    words = ["losslens", "compare", str(data) if isinstance(data, (str, Path)) else "DATA"]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", value if isinstance(value, str) else name.upper()]
    words += ["--transpose"] if transpose else []
    return shlex.join([*words, *(word for name in names for word in ("--loss", name))])


def _plain(value: Any) -> Any:
    """Without numbers that JSON cannot hold: infinity as a word, what is undefined as null."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf"
    return value
