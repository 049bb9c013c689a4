"""What a report tells of the insides of its trainings: which lines, in which order, in which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from losslens.report import table
from losslens.report.document import Document, Row
from losslens.report.findings import RowFinding
from losslens.report.words import after_value, listed

NOTHING_FOUND = "Nothing went wrong inside"


@dataclass(frozen=True)
class Inside:
    """Rows in which something arose, the worst first, and those in which nothing did."""

    troubled: list[Row]
    sound: list[Row]

    @property
    def looked(self) -> bool:
        """Whether anything was looked at: not so in reports of trainings that recorded no findings."""
        return bool(self.troubled or self.sound)


def inside(document: Document) -> Inside:
    """The rows between which was judged, from the last to the best, by whether anything arose in them."""
    looked = [row for row in reversed(table.standing(document)) if row.findings]
    troubled = [row for row in looked if arisen(row.findings)]
    return Inside(troubled, [row for row in looked if row not in troubled])


def arisen(findings: Sequence[RowFinding]) -> list[RowFinding]:
    """Those that are not fine, the most pressing first as they came."""
    return [finding for finding in findings if finding.arose]


def measured(finding: RowFinding) -> str:
    """The value with its unit, beside the threshold.

    >>> found = RowFinding(name="dead_units", title="dead units", verdict="act", value=0.6, unit="share of units",
    ...                    threshold=0.5, epoch=3, repeats=[0], looked=1, reason="", remedy="")
    >>> measured(found)
    '0.6 share of units, threshold 0.5'
    """
    value, threshold = (table.NOTHING if each is None else f"{each:.3g}" for each in (finding.value, finding.threshold))
    return f"{value}{after_value(finding.unit)}, threshold {threshold}"


def when(finding: RowFinding) -> str:
    """In how many repeats it arose, and from when on."""
    start = "before training" if finding.epoch == 0 else f"from epoch {finding.epoch}"
    return f"in {finding.often}, {start}"


def sound_sentence(document: Document, rows: Sequence[Row]) -> str:
    """Which trainings had nothing that went wrong, and how much was looked at."""
    if not rows:
        return ""
    names = listed([table.called(document, row) for row in rows], most=12)
    return f"{NOTHING_FOUND} in {names}: {_looked(rows)}."


def fine_sentence(findings: Sequence[RowFinding]) -> str:
    """How many of the things looked at were fine, for a row in which others were not."""
    fine = len(findings) - len(arisen(findings))
    return f"{fine} more looked at and found fine" if fine else ""


def _looked(rows: Sequence[Row]) -> str:
    counts = sorted({len(row.findings) for row in rows})
    number = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{number} thing{'s' * (number != '1')} looked at{' in each' * (len(rows) > 1)}, all fine"
