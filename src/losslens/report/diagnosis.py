"""What ``diagnose`` tells, as plain frozen data: the findings of each row, and what came of trying their remedies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from losslens import __version__
from losslens.report.findings import RowFinding
from losslens.report.inside import NOTHING_FOUND, arisen, measured
from losslens.report.parts import Number, Part
from losslens.report.templates import environment


class RowDiagnosis(Part):
    """What was seen in the trainings of one row."""

    key: str
    title: str
    repeats: int
    findings: list[RowFinding] = Field(description="the most pressing first")


class Proposal(Part):
    """A change of one row that is the remedy of some of its findings."""

    row: str
    title: str
    change: dict[str, Any] = Field(description="as dotted paths into a trial's spec")
    was: dict[str, Any] = Field(description="what stands there in the first repeat")
    answers: list[RowFinding]
    repeats: list[int]

    @property
    def said(self) -> str:
        """The change in words."""
        return changes(self.change, self.was)


class Answered(Part):
    """One finding before and after a change."""

    name: str
    title: str
    where: str = ""
    before: int = Field(description="in how many repeats it arose")
    after: int
    looked: int = Field(description="in how many repeats it was looked at after the change")
    gone: bool | None = Field(description="whether it arises in no repeat any more; None if not looked at in all")


class Gain(Part):
    """The deciding yardstick after the change, less before, paired over the splits; positive = better."""

    mean: float
    low: Number = Field(description="lower end of the 95 % corrected resampled t interval; None where unbounded")
    high: Number
    p: float = Field(description="two-sided p value of the corrected resampled t test, before Holm")
    p_holm: float = Field(description="after Holm's correction over what was tried")
    repeats: int


class Attempt(Part):
    """What came of one remedy, run as a trial for each repeat of its row with nothing else changed."""

    row: str
    title: str
    change: dict[str, Any]
    was: dict[str, Any]
    answered: list[Answered]
    yardstick: str
    before: Number = Field(description="mean of the yardstick over the repeats that are paired")
    after: Number
    gain: Gain | None = Field(description="None where no repeat has a score before and after")
    diverged_before: int
    diverged_after: int
    repeats: list[int]
    verdict: Literal["helped", "hurt", "not shown", "trains now", "not judged"] = Field(
        description="by the p value after Holm; 'not judged' with one split, 'trains now' where all had diverged before"
    )
    sentence: str
    trials: list[str] = Field(description="ids, one folder each under tried")


class Diagnosis(Part):
    """The findings of a run by row, and the remedies that were tried. Prints itself, and shows itself in a notebook.

    >>> import numpy, tempfile
    >>> X = numpy.random.default_rng(0).normal(size=(60, 8))
    >>> small = dict(losses=["mse"], repeats=2, epochs=2, learning_rates=[1e-3], code=2, hidden=[8], workers=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = losslens.compare(X, **small, out=folder)
    ...     found = losslens.diagnose(folder)
    >>> [row.key for row in found.rows], found.attempts
    (['mse'], [])
    """

    losslens: str = __version__
    folder: str
    data: str = Field(description="what the data are called")
    rows: list[RowDiagnosis] = Field(description="the best first, where the run has been judged")
    attempts: list[Attempt] = Field([], description="what came of the remedies, the most pressing first")
    not_tried: list[str] = Field([], description="remedies that could not be run, a sentence each")

    def lines(self) -> list[str]:
        """One line for each thing that went wrong and each remedy that was tried."""
        told = [
            f"{row.title}: {each.verdict}, {each.called}: {measured(each)}, in {each.often}. {each.remedy}".rstrip()
            for row in self.rows
            for each in arisen(row.findings)
        ]
        return [*(told or [self.quiet]), *(attempt.sentence for attempt in self.attempts), *self.not_tried]

    @property
    def quiet(self) -> str:
        """What is said where no finding arose; empty where some did."""
        looked = sum(len(row.findings) for row in self.rows)
        if any(arisen(row.findings) for row in self.rows):
            return ""
        if not looked:
            return "These trainings recorded no findings."
        return f"{NOTHING_FOUND}: {looked} thing{'s' * (looked > 1)} looked at, all fine."

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return environment().from_string(FRAGMENT).render(diagnosis=self, arisen=arisen, measured=measured)


def changes(change: Mapping[str, Any], was: Mapping[str, Any]) -> str:
    """A change in words.

    >>> changes({"training.learning_rates": [0.01]}, {"training.learning_rates": [1e-7, 1e-6]})
    'learning rates 1e-07, 1e-06 -> 0.01'
    """
    return ", ".join(
        f"{path.rpartition('.')[2].replace('_', ' ')} {_shown(was.get(path))} -> {_shown(value)}"
        for path, value in change.items()
    )


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None or value == "" else str(value)


FRAGMENT = """\
{% set left = "text-align:left;vertical-align:top;padding:.2em .6em" %}
<div style="max-width:64em;line-height:1.4;overflow-x:auto">
{% if diagnosis.quiet %}
<p>{{ diagnosis.quiet }}</p>
{% else %}
<table style="border-collapse:collapse;font-size:.9em"><thead><tr>
{% for name in (diagnosis.data, "verdict", "what", "value", "why, and what to do") %}
<th scope="col" style="{{ left }}">{{ name }}</th>
{% endfor %}
</tr></thead><tbody>
{% for row in diagnosis.rows %}
{% for finding in arisen(row.findings) %}
<tr><th scope="row" style="{{ left }}">{{ row.title }}</th><td style="{{ left }}">{{ finding.verdict }}</td>
<td style="{{ left }}">{{ finding.called }}, in {{ finding.often }}</td>
<td style="{{ left }}">{{ measured(finding) }}</td>
<td style="{{ left }}">{{ finding.reason }} <strong>{{ finding.remedy }}</strong></td></tr>
{% endfor %}
{% endfor %}
</tbody></table>
{% endif %}
{% for attempt in diagnosis.attempts %}
<p><strong>{{ attempt.verdict }}.</strong> {{ attempt.sentence }}</p>
{% endfor %}
{% for line in diagnosis.not_tried %}
<p>{{ line }}</p>
{% endfor %}
</div>
"""
