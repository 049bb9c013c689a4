"""A diagnosis in the terminal: a table for each row, what will be tried, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from losslens.report import table
from losslens.report.diagnosis import Attempt, Diagnosis, Proposal, RowDiagnosis
from losslens.report.findings import RowFinding
from losslens.report.inside import arisen, fine_sentence, when
from losslens.report.terminal import heading, pairs, show, styled, terminal
from losslens.report.words import after_value, listed

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STYLES = {"act": "red", "watch": "yellow", "helped": "green", "trains now": "green", "hurt": "red"}


def render(found: Diagnosis, console: Console | None = None, *, findings: bool = True) -> None:
    """Print a diagnosis; ``findings=False`` leaves out the findings, for a caller that has shown them before."""
    parts = [*(_rows(found) if findings else []), *_attempts(found.attempts)]
    missing = [heading("Not tried"), *map(styled, found.not_tried)] if found.not_tried else []
    show(console or terminal(), [*parts, *missing])


def render_plan(proposals: Sequence[Proposal], console: Console | None = None) -> None:
    """Print what will be tried."""
    if not proposals:
        return
    trials = sum(len(proposal.repeats) for proposal in proposals)
    said = [(each.title, f"{each.said}, for {listed([f.called for f in each.answers])}") for each in proposals]
    title = heading(f"To be tried, as {trials} trial{'s' * (trials != 1)} on the same splits")
    show(console or terminal(), [title, pairs(said)])


def _rows(found: Diagnosis) -> list[RenderableType]:
    quiet = [styled(found.quiet)] if found.quiet else []
    return [*quiet, *(part for row in found.rows for part in _row(row))]


def _row(row: RowDiagnosis) -> list[RenderableType]:
    """A table of what arose; rows in which nothing did have one line, those of old runs none."""
    told = arisen(row.findings)
    if not told:
        return [styled(f"\n{row.title}: {len(row.findings)} looked at, all fine", "dim")] if row.findings else []
    fine = fine_sentence(row.findings)
    return [heading(row.title), _table(told), *([styled(fine, "dim")] if fine else [])]


def _table(told: Sequence[RowFinding]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name, width in (("verdict", None), ("what", 24), ("value", 14), ("threshold", None)):
        out.add_column(name, overflow="fold", max_width=width)
    out.add_column("why, and what to do", overflow="fold", ratio=1)
    for each in told:
        what, value = f"{each.called}\n{when(each)}", _valued(each.value) + after_value(each.unit)
        said = Text.assemble(each.reason, "\n", (each.remedy, "bold"))
        verdict = styled(each.verdict, STYLES[each.verdict])
        out.add_row(verdict, styled(what), styled(value), styled(_valued(each.threshold)), said)
    return out


def _valued(value: float | None) -> str:
    return table.NOTHING if value is None else f"{value:.3g}"


def _attempts(attempts: Sequence[Attempt]) -> list[RenderableType]:
    from rich.text import Text

    said = [Text.assemble((each.verdict, STYLES.get(each.verdict, "bold")), f"  {each.sentence}") for each in attempts]
    return [heading("What came of trying"), *said] if said else []
