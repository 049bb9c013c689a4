"""What stands below the table in the terminal: code sizes, posteriors, methods, counts expected, what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from losslens.report import table
from losslens.report.courses import CourseLine, course_lines, level
from losslens.report.document import Divergence, Document, Sweep
from losslens.report.findings import RowFinding
from losslens.report.inside import NOTHING_FOUND, inside, measured
from losslens.report.size_table import size_lines
from losslens.report.terminal import heading, pairs, styled

if TYPE_CHECKING:
    from rich.console import RenderableType

TITLE_WIDTH = 30
FINDINGS_SHOWN = 6


def asides(document: Document, width: int) -> list[RenderableType]:
    """Every part that the document has something for."""
    return [
        *_posteriors(document),
        *_sizes(document, width),
        *_courses(document),
        *_checks(document),
        *_inside(document),
    ]


def _posteriors(document: Document) -> list[RenderableType]:
    """The weight of the divergence and the units in use, for every variational row of the table."""
    shown = {row.key: table.called(document, row) for row in table.standing(document)}
    said = [_weight(each, shown[each.row]) for each in document.divergences if each.row in shown]
    if not said:
        return []
    return [styled(f"KL weight beside half the squared error (1: an evidence lower bound): {'; '.join(said)}.", "dim")]


def _weight(each: Divergence, title: str) -> str:
    weight = "no common scale" if each.kl_weight is None else f"{each.kl_weight:.3g}"
    units = "" if each.active is None else f" ({each.active:.3g} of {each.code} units active)"
    return f"{weight} for {title}{units}"


def _sizes(document: Document, width: int) -> list[RenderableType]:
    if document.sweep is None or not document.sweep.curves:
        return []
    title = next(y.title for y in document.yardsticks if y.name == document.sweep.yardstick)
    return [heading(f"Code sizes, by {title}"), _curves(document, document.sweep, width)]


def _curves(document: Document, sweep: Sweep, width: int) -> RenderableType:
    """A line for each candidate; the units in use only where there is room for them."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    lines = size_lines(document, digits=3)
    head = ["", *map(str, sweep.sizes), "knee [95\N{NO-BREAK SPACE}%]", "active units"]
    cells = [[line.curve.title, *line.means, line.knee, line.active] for line in lines]
    widths = [max(map(len, column)) + 2 for column in zip(head, *cells, strict=True)]
    shown = len(head) if min(widths[0], TITLE_WIDTH + 2) + sum(widths[1:]) <= width else len(head) - 1
    out = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for place, name in enumerate(head[:shown]):
        out.add_column(styled(name), justify="right" if place else "left", overflow="fold", max_width=TITLE_WIDTH)
    for line, texts in zip(lines, cells, strict=True):
        out.add_row(*map(Text, texts[:shown]), style="cyan" if line.curve.role == "baseline" else "")
    return out


def _courses(document: Document) -> list[RenderableType]:
    """How soon neighbours told the label, and what became of embeddings, for every self-supervised row."""
    at, lines = level(document), course_lines(document)
    if not lines:
        return []
    title = "While methods trained" + ("" if at is None else f" (kNN accuracy {at:.3f} is 95 % of the best)")
    said = [(table.called(document, line.row), _course(line, at)) for line in lines]
    return [heading(title), pairs(said)]


def _course(line: CourseLine, at: float | None) -> str:
    reached = "" if at is None else f"{at:.3f} after epoch {line.reached}; "
    return f"{reached}norm {line.norm}, effective rank {line.rank}"


def _checks(document: Document) -> list[RenderableType]:
    shown = {row.key: table.called(document, row) for row in table.standing(document)}
    said = [(shown[check.row], check.verdict) for check in document.checks if check.row in shown]
    return [heading("What the count models expect"), pairs(said)] if said else []


def _inside(document: Document) -> list[RenderableType]:
    """What must be acted on, with its remedy; the losers first."""
    found = inside(document)
    pressing = [(row, each) for row in found.troubled for each in row.findings if each.verdict == "act"]
    if not pressing:
        return [styled(f"{NOTHING_FOUND} that must be acted on.", "dim")] if found.looked else []
    said = [(table.called(document, row), _told(each)) for row, each in pressing[:FINDINGS_SHOWN]]
    rest = len(pressing) - FINDINGS_SHOWN
    more = [styled(f"and {rest} more: losslens diagnose, with the output folder", "dim")] if rest > 0 else []
    return [heading("What went wrong inside"), pairs(said), *more]


def _told(finding: RowFinding) -> str:
    return f"{finding.called}: {measured(finding)}, in {finding.often}. {finding.remedy}"
