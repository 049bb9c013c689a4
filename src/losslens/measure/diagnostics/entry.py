"""The catalogue of diagnostics: what can go wrong inside a training, how it shows, and what helps.

A diagnostic is a pure function from :class:`~losslens.measure.diagnostics.readings.Readings` to a value, or None where
what it needs was not read. The members live in ``direction``, ``units``, ``course`` and ``scale``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from losslens.measure.diagnostics.readings import Readings
from losslens.measure.findings import Verdict
from losslens.vocabulary.catalogue import Catalogue


class Seen(NamedTuple):
    """A value, the layer or branch it speaks of, and figures that belong to it, in words."""

    value: float
    where: str = ""
    figures: str = ""


Judge = Callable[[Readings], Seen | None]
Change = Callable[[Any], dict[str, Any]]


def nothing(spec: Any) -> dict[str, Any]:
    """No field of a spec is the remedy."""
    return {}


@dataclass(frozen=True)
class DiagnosticEntry:
    """The facts about one diagnostic.

    ``watch`` and ``act`` are the thresholds of these verdicts; the one of ``act`` lies on the side that is worse.
    ``because`` justifies them. ``since`` is the first epoch that is judged, as a beginning is no failing; ``at_end``
    says that only a whole training is judged. ``change`` gives what the remedy would change in a trial's spec.

    >>> entry = losslens.DIAGNOSTICS["dead_units"]
    >>> entry.verdict(0.9), entry.verdict(0.0), entry.unit
    ('act', 'fine', 'share of units')
    """

    name: str
    title: str
    unit: str
    watch: float
    act: float
    because: str
    reason: str
    remedy: str
    judge: Judge
    change: Change = nothing
    since: int = 0
    at_end: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.judge.__doc__ or "").strip().split("\n")[0]

    def verdict(self, value: float) -> Verdict:
        """What a value means."""
        higher = self.act > self.watch
        if (value >= self.act) if higher else (value <= self.act):
            return "act"
        return "watch" if ((value >= self.watch) if higher else (value <= self.watch)) else "fine"

    def threshold(self, verdict: Verdict) -> float:
        """What a value with this verdict has passed, or not yet reached."""
        return self.act if verdict == "act" else self.watch

    def see(self, readings: Readings) -> Seen | None:
        """Its value now; None where something is missing, or it is too early to say."""
        early = readings.epoch < self.since or (self.at_end and not readings.finished)
        return None if early and not readings.diverged else self.judge(readings)


DIAGNOSTICS: Catalogue[DiagnosticEntry] = Catalogue("diagnostic")


def diagnostic(**facts: Any) -> Callable[[Judge], Judge]:
    """Enter a function into the catalogue under its own name."""

    def enter(judge: Judge) -> Judge:
        DIAGNOSTICS.add(DiagnosticEntry(name=judge.__name__, judge=judge, **facts))
        return judge

    return enter


def rates(factor: float) -> Change:
    """Learning rates below, or above, all that were tried."""

    def change(spec: Any) -> dict[str, Any]:
        tried = spec.training.learning_rates
        return {"training.learning_rates": (factor * (min(tried) if factor < 1 else max(tried)),)}

    return change
