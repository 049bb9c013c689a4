"""What went wrong inside the trainings of one row: each diagnosis told once, over all repeats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from pydantic import Field

from losslens.measure.diagnostics import DIAGNOSTICS
from losslens.measure.findings import VERDICTS, Finding, Verdict
from losslens.report.parts import Number, Part
from losslens.run.spec import TrialResult


class RowFinding(Part):
    """One diagnosis of one row: the worst verdict over its repeats, and how often it arose."""

    name: str
    title: str
    where: str = Field("", description="the layer or branch it speaks of")
    verdict: Verdict = Field(description="the worst over the repeats")
    value: Number = Field(description="median over the repeats with that verdict")
    unit: str
    threshold: Number
    epoch: int | None = Field(description="when it first arose in any repeat; 0 is before training, None if it did not")
    repeats: list[int] = Field(description="in which it arose: its verdict is not fine")
    worst: list[int] = Field([], description="in which its verdict is the row's")
    looked: int = Field(description="in how many repeats it was looked at")
    reason: str
    remedy: str
    change: dict[str, Any] = Field({}, description="what the remedy would change, as paths into a trial's spec")

    @property
    def arose(self) -> bool:
        """Whether there is anything to say but that it was looked at."""
        return self.verdict != "fine"

    @property
    def called(self) -> str:
        """The title, and the place it speaks of."""
        return f"{self.title} ({self.where})" if self.where else self.title

    @property
    def often(self) -> str:
        """In how many of the repeats it arose, and had the row's verdict if not in all of these."""
        arose = f"{len(self.repeats)} of {self.looked} repeats" if self.looked > 1 else "the one repeat"
        return f"{arose} ({self.verdict} in {len(self.worst)})" if 0 < len(self.worst) < len(self.repeats) else arose


def title(name: str) -> str:
    """How a diagnosis is called; one that this version does not have, by its name.

    >>> title("dead_units"), title("some_other_thing")
    ('Dead ReLU units', 'some other thing')
    """
    return DIAGNOSTICS[name].title if name in DIAGNOSTICS else name.replace("_", " ")


def gather(results: Iterable[TrialResult]) -> list[RowFinding]:
    """One line for each diagnosis and place over the repeats of a row: the most pressing and most frequent first."""
    found: dict[tuple[str, str], list[tuple[int, Finding]]] = defaultdict(list)
    for result in results:
        for finding in result.findings:
            found[finding.name, finding.where].append((result.spec.split.repeat, finding))
    return sorted(map(_joined, found.values()), key=urgency)


def urgency(finding: RowFinding) -> tuple[int, int, str, str]:
    """A key that sorts the most pressing first, then what arose most often, then by name."""
    return VERDICTS.index(finding.verdict), -len(finding.repeats), finding.name, finding.where


def _joined(found: Sequence[tuple[int, Finding]]) -> RowFinding:
    """Reason and remedy are those of the first repeat with the worst verdict."""
    worst = min((finding for _, finding in found), key=lambda finding: VERDICTS.index(finding.verdict))
    alike = {repeat: finding for repeat, finding in found if finding.verdict == worst.verdict}
    arose = [(repeat, finding) for repeat, finding in found if finding.verdict != "fine"]
    return RowFinding(
        name=worst.name,
        title=title(worst.name),
        where=worst.where,
        verdict=worst.verdict,
        value=median(finding.value for finding in alike.values()),
        unit=worst.unit,
        threshold=worst.threshold,
        epoch=min((finding.epoch for _, finding in arose), default=None),
        repeats=sorted(repeat for repeat, _ in arose),
        worst=sorted(alike),
        looked=len(found),
        reason=worst.reason,
        remedy=worst.remedy,
        change=worst.model_dump(mode="json")["change"],
    )
