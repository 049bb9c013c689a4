"""``inspect``: the gate alone. What the data are, and which objectives fit them; nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from losslens.data.gate import Observation, look
from losslens.data.profiles import Profiles
from losslens.data.readers import read
from losslens.data.transforms import TRANSFORMS
from losslens.measure.goals import GOALS
from losslens.report.build import dataset
from losslens.report.document import Dataset, Goal, Refusal
from losslens.run.plan import Refused, sort_pairs


@dataclass(frozen=True)
class Inspection:
    """What the gate saw, and the pairs of loss and output activation that fit or do not.

    >>> import numpy
    >>> found = inspect(numpy.random.default_rng(0).poisson(2.0, size=(50, 20)))
    >>> found.goal.name, "poisson" in found.fitting, "mse+sigmoid" in found.fitting
    ('direction', True, False)
    """

    profiles: Profiles
    seen: Observation
    fitting: list[str]
    refused: list[Refused]

    @property
    def dataset(self) -> Dataset:
        """As the report shows it."""
        transform = TRANSFORMS[self.seen.kind.transform].summary
        return dataset(self.profiles, self.seen, transform, transform)

    def summary(self) -> list[str]:
        """What fits, said once for all losses that fit the same outputs."""
        outputs: dict[str, list[str]] = {}
        for pair in self.fitting:
            loss, _, output = pair.partition("+")
            outputs.setdefault(loss, []).append(output or "linear")
        by_choice: dict[tuple[str, ...], list[str]] = {}
        for loss, choice in outputs.items():
            by_choice.setdefault(tuple(choice), []).append(loss)
        return [
            ", ".join(losses) + (f" (with a {' or '.join(choice)} output)" if len(choice) > 1 else "")
            for choice, losses in by_choice.items()
        ]

    @property
    def refusals(self) -> list[Refusal]:
        """What does not fit, as the report shows it."""
        return [Refusal(candidate=each.candidate, reason=each.reason) for each in self.refused]

    @property
    def goal(self) -> Goal:
        """The goal that would be taken for such data."""
        kind = self.seen.kind
        labelled = self.profiles.labels is not None
        yardstick = GOALS[kind.goal].yardstick(labelled=labelled, measure="mass" if kind.name == "binary" else None)
        return Goal(name=kind.goal, yardstick=yardstick.name, reason=kind.because, inferred=True)

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        refused = [each.model_dump() for each in self.refusals]
        return {**self.dataset.model_dump(), "fits": self.fitting, "refused": refused, "goal": self.goal.model_dump()}


def inspect(
    data: Any,
    *,
    label: Any = None,
    group: Any = None,
    id_column: str | None = None,
    transpose: bool = False,
    layer: str | None = None,
    size: int | None = None,
    kind: str | None = None,
) -> Inspection:
    """Look at data as :func:`losslens.compare` would, without training anything.

    >>> import numpy
    >>> inspect(numpy.random.default_rng(0).poisson(2.0, size=(50, 20))).seen.kind.name
    'raw counts'
    """
    profiles = read(data, label=label, group=group, id_column=id_column, transpose=transpose, layer=layer, size=size)
    seen = look(profiles, kind)
    fitting, refused = sort_pairs(seen)
    names = [loss if link in ("linear", "logits", "softmax", "log") else f"{loss}+{link}" for loss, link in fitting]
    return Inspection(profiles, seen, names, refused)
