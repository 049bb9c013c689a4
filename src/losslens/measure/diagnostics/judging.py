"""From readings to findings."""

from __future__ import annotations

from typing import Any

from losslens.measure.diagnostics.entry import DIAGNOSTICS, DiagnosticEntry, Seen
from losslens.measure.diagnostics.readings import Readings
from losslens.measure.findings import VERDICTS, Finding


def judged(readings: Readings, spec: Any = None) -> tuple[Finding, ...]:
    """Every diagnostic of the catalogue whose needs were read, the most pressing first.

    Fine ones are kept, without words: a report can say what was looked at. ``spec`` is the trial's, if there is one:
    the findings then say what the remedy would change in it.

    >>> from losslens.measure.diagnostics import Readings, judged
    >>> [(found.name, found.verdict) for found in judged(Readings(start=1.0, train=(9.0, 8.5)))]
    [('learning_rate_too_high', 'act')]
    """
    found = [
        _finding(entry, seen, readings, spec)
        for entry in DIAGNOSTICS.values()
        if (seen := entry.see(readings)) is not None
    ]
    return tuple(sorted(found, key=lambda finding: VERDICTS.index(finding.verdict)))


def _finding(entry: DiagnosticEntry, seen: Seen, readings: Readings, spec: Any) -> Finding:
    verdict = entry.verdict(seen.value)
    facts: dict[str, Any] = {"name": entry.name, "verdict": verdict, "value": seen.value, "unit": entry.unit}
    facts |= {"threshold": entry.threshold(verdict), "where": seen.where}
    if verdict == "fine":
        return Finding(**facts, epoch=readings.epoch, reason="", remedy="")
    reason = f"{entry.reason} {seen.figures}".strip()
    change = {} if spec is None else entry.change(spec)
    return Finding(**facts, epoch=_arose(entry, readings), reason=reason, remedy=entry.remedy, change=change)


def _arose(entry: DiagnosticEntry, readings: Readings) -> int:
    """The first reading from which on the verdict was as bad as it is in the end."""
    first, worst = readings.epoch, VERDICTS.index(entry.verdict(_value(entry, readings)))
    for look in reversed(readings.looks):
        seen = entry.see(readings.until(look.epoch))
        if seen is None or VERDICTS.index(entry.verdict(seen.value)) > worst:
            break
        first = look.epoch
    return first


def _value(entry: DiagnosticEntry, readings: Readings) -> float:
    seen = entry.see(readings)
    assert seen is not None
    return seen.value


def line(finding: Finding) -> str:
    """A finding in one line.

    >>> from losslens.measure.diagnostics import Readings, judged, line
    >>> line(judged(Readings(start=1.0, train=(9.0, 8.5)))[0])
    'Learning rate too high: 15.7 rises over falls of the training loss. Lower the learning rate.'
    """
    where = f" in {finding.where}" if finding.where else ""
    return f"{DIAGNOSTICS[finding.name].title}{where}: {finding.value:.3g} {finding.unit}. {finding.remedy}"
