"""Running what a store does not have yet, within a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from losslens.measure.findings import Finding
from losslens.run.executors import Executor, Lost
from losslens.run.listening import Tell, listening
from losslens.run.spec import TrialResult, TrialSpec, row_keys
from losslens.run.store import Store

RESERVE = 8.0  # seconds kept back for judging and writing the report


@dataclass
class Clock:
    """A wall-time limit that knows how long a trial takes."""

    limit: float | None = None
    began: float = field(default_factory=time.monotonic)
    longest: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def saw(self, seconds: float) -> None:
        """Learn from a finished trial."""
        self.longest = max(self.longest, seconds)

    def may_start(self) -> bool:
        """Whether one more trial, even if it takes as long as the longest so far, would end in time."""
        return self.limit is None or self.elapsed + self.longest + RESERVE < self.limit


@dataclass(frozen=True)
class Outcome:
    """Results by row key and repeat, and the trials that have none with the reason."""

    results: dict[str, dict[int, TrialResult]]
    missing: list[tuple[TrialSpec, str]]


def _untold(spec: TrialSpec, finding: Finding) -> None:
    """Nobody listens."""


def complete(
    trials: Sequence[TrialSpec],
    folder: Path,
    store: Store,
    executor: Executor,
    clock: Clock,
    done: Callable[[], None],
    tell: Tell = _untold,
) -> Outcome:
    """Run the trials that the store lacks; ``done`` is called once for each trial that is there.

    ``tell`` hears of every finding that calls for action: at once from a training in this process, and from all
    when their result arrives, so that it may hear of one twice.
    """
    known = {spec.id: result for spec in trials if (result := store.get(spec))}
    for _ in known:
        done()
    lost: dict[str, str] = {}
    with listening(None if tell is _untold else tell):
        for finished in executor.run([spec for spec in trials if spec.id not in known], folder, clock.may_start):
            if isinstance(finished, Lost):
                lost[finished.spec.id] = finished.cause
            else:
                store.put(finished.result, finished.weights, finished.arrays)
                known[finished.result.spec.id] = finished.result
                clock.saw(finished.result.seconds)
                for finding in finished.result.findings:
                    if finding.verdict == "act":
                        tell(finished.result.spec, finding)
            done()
    results: dict[str, dict[int, TrialResult]] = {}
    rows = row_keys(trials)
    for spec in trials:
        if spec.id in known:
            results.setdefault(rows[spec.id], {})[spec.split.repeat] = known[spec.id]
    reasons = [(spec, lost.get(spec.id, "the time limit came first")) for spec in trials if spec.id not in known]
    return Outcome(results, reasons)
