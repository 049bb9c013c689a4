"""A report in the terminal: what the gate saw, the table, and last the one plain sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from losslens.report import table
from losslens.report.asides import TITLE_WIDTH, asides
from losslens.report.document import Dataset, Document, Goal, Refusal, Row
from losslens.report.terminal import heading, pairs, show, styled, terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STYLES = {"recommended": "bold green", "tied": "green", "worse": "", "baseline": "cyan", "diverged": "red"}
REFUSALS_SHOWN = 6


def render(document: Document, console: Console | None = None, *, gate: bool = True) -> None:
    """Print a report; the last line is the sentence that answers the question.

    ``gate=False`` leaves out what the gate saw and refused, for a caller that has shown it before.
    """
    console = console or terminal()
    if gate:
        render_gate(document.dataset, goal=document.goal, console=console)
    parts = [
        *_table_part(document, console.width),
        *asides(document, console.width),
        *(_refused(document.refused) if gate else []),
        *_list("Not run", document.not_run),
        *_list("What to try next", document.advice),
        *_code(document.code),
        styled(""),
        styled(document.sentence, "bold"),
    ]
    show(console, parts)


def render_gate(
    dataset: Dataset,
    *,
    goal: Goal | None = None,
    candidates: Sequence[str] = (),
    refused: Sequence[Refusal] = (),
    console: Console | None = None,
) -> None:
    """Print what the gate saw of the data, and where given what fits them, what does not, and what decides."""
    size = f"{dataset.samples:,} samples × {dataset.features:,} features"
    parts = [
        heading(f"{dataset.name}: {size}, {dataset.kind}"),
        pairs(_seen(dataset, goal)),
        *_list("What fits", [", ".join(candidates)] if candidates else []),
        *_refused(refused, shown=len(refused)),
    ]
    show(console or terminal(), parts)


def summary_lines(document: Document, rows: int = 5) -> list[str]:
    """The best rows, one line each, and the sentence: what a console shows for a comparison."""
    decider = table.columns(document, digits=3)[0] if document.rows else None
    shown = table.standing(document)[:rows]
    width = max((len(table.called(document, row)) for row in shown), default=0)
    lines = [f"{table.called(document, row):<{width}}  {_value(decider, row)}  {row.verdict}" for row in shown]
    return [*lines, document.sentence]


@dataclass(frozen=True)
class _Field:
    """A column of the printed table: its header, how a row fills it, and whether it must be shown."""

    header: str
    fill: Callable[[Row], str]
    rows: tuple[Row, ...]
    numeric: bool = True

    @property
    def lines(self) -> list[str]:
        """The header, broken to be hardly wider than the cells."""
        cells = max((len(self.fill(row)) for row in self.rows), default=1)
        return wrap(self.header, max(cells, 5), break_long_words=False)

    @property
    def width(self) -> int:
        return max(len(text) for text in [*self.lines, *(self.fill(row) for row in self.rows)])


def _table_part(document: Document, width: int) -> list[RenderableType]:
    if not document.rows:
        return []
    yardstick = table.deciding(document)
    unit = f" ({table.unit(yardstick)})" if table.unit(yardstick) else ""
    size = f" at a code size of {document.sweep.chosen}" if document.sweep else ""
    title = heading(f"Held-out scores{size}, best {yardstick.title}{unit} first")
    notes = [
        styled(f"{table.called(document, row)}: {row.note}", "dim") for row in table.standing(document) if row.note
    ]
    return [title, _table(document, width), *notes]


def _table(document: Document, width: int) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    fields = _fields(document, width)
    for field in fields:
        out.add_column(styled("\n".join(field.lines)), justify="right" if field.numeric else "left", overflow="fold",
                       min_width=min(field.width, TITLE_WIDTH), max_width=TITLE_WIDTH)  # fmt: skip
    for row in table.standing(document):
        out.add_row(*(Text(field.fill(row)) for field in fields), style=STYLES.get(row.verdict, ""))
    return out


def _fields(document: Document, width: int) -> list[_Field]:
    """The columns that must be there, then as many yardsticks as fit between them and the costs."""
    rows = tuple(table.standing(document))
    decider, *others = [
        _Field(_header(column), lambda row, column=column: _value(column, row), rows)  # type: ignore[misc]
        for column in table.columns(document, digits=3)
    ]
    must = [_Field("", lambda row: table.called(document, row), rows, numeric=False), decider, *_gap(document),
            _Field("verdict", lambda row: row.verdict, rows, numeric=False)]  # fmt: skip
    costs = [_Field("time (s)", lambda row: f"{row.seconds:.1f}", rows),
             _Field("parameters", lambda row: _short(row.parameters), rows)]  # fmt: skip
    taken = min(must[0].width, TITLE_WIDTH) + sum(2 + field.width for field in must[1:])
    return [*must, *_fitting(others, costs, width - taken)]


def _fitting(others: list[_Field], costs: list[_Field], room: int) -> list[_Field]:
    """Costs first in priority, last in place."""
    chosen: list[_Field] = []
    for field in [*costs, *others]:
        if field.width + 2 <= room:
            chosen.append(field)
            room -= field.width + 2
        elif field in others:
            break
    return [*(f for f in chosen if f not in costs), *(f for f in chosen if f in costs)]


def _gap(document: Document) -> list[_Field]:
    """How far behind the best, where anything was compared."""
    best, places = table.reference(document), table.gap_decimals(document)
    if best is None:
        return []

    def fill(row: Row) -> str:
        return "best" if row.key == best else table.behind(row, places)

    return [_Field("behind the best candidate [95\N{NO-BREAK SPACE}%]", fill, tuple(table.standing(document)))]


def _header(column: table.Column) -> str:
    return f"{column.yardstick.title}\N{NO-BREAK SPACE}{column.arrow}".strip()


def _value(column: table.Column | None, row: Row) -> str:
    cell = column.cells.get(row.key) if column else None
    return cell.text if cell else table.NOTHING


def _short(count: int) -> str:
    """A count of parameters in thousands or millions."""
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e6:.2f}M" if count >= 1_000_000 else f"{count / 1e3:.0f}k"


def _seen(dataset: Dataset, goal: Goal | None) -> list[tuple[str, str]]:
    return [
        ("why", dataset.reason),
        *_classes(dataset),
        *((fact.name, _noted(fact.value, fact.note)) for fact in dataset.facts),
        *(("read", remark) for remark in dataset.remarks),
        ("preprocessing", dataset.transform),
        ("judged in", dataset.space),
        *_goal(goal),
    ]


def _classes(dataset: Dataset) -> list[tuple[str, str]]:
    groups = [] if dataset.groups is None else [("groups", f"{dataset.groups:,}, kept whole in every split")]
    if not dataset.classes:
        return groups
    ranked = sorted(dataset.classes.items(), key=lambda item: -item[1])
    named = ", ".join(f"{label} {count:,}" for label, count in ranked[:6])
    more = f" and {len(ranked) - 6} more" if len(ranked) > 6 else ""
    return [("labels", f"{len(ranked)}: {named}{more}"), *groups]


def _goal(goal: Goal | None) -> list[tuple[str, str]]:
    if goal is None:
        return []
    chosen = "inferred" if goal.inferred else "chosen"
    return [("goal", f"{goal.name} ({chosen}): {goal.reason}")]


def _refused(refused: Sequence[Refusal], shown: int = REFUSALS_SHOWN) -> list[RenderableType]:
    if not refused:
        return []
    rest = len(refused) - shown
    more = [styled(f"and {rest} more", "dim")] if rest > 0 else []
    return [heading("Does not fit these data"), pairs((r.candidate, r.reason) for r in refused[:shown]), *more]


def _list(title: str, lines: Sequence[str]) -> list[RenderableType]:
    return [heading(title), *(styled(line) for line in lines)] if lines else []


def _code(code: str) -> list[RenderableType]:
    """Never broken over lines: it is to be pasted."""
    from rich.text import Text

    return [heading("In PyTorch"), Text(code, "cyan", no_wrap=True, overflow="ignore")] if code else []


def _noted(value: str, note: str) -> str:
    """A note that is a sentence follows as one, another in brackets."""
    if not note:
        return value
    return f"{value}. {note}" if note[0].isupper() else f"{value} ({note})"
