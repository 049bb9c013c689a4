"""The table of a report as plain text cells, and how its numbers are written, for page, terminal and notebook."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from losslens.report.document import Document, Measurement, Row, Yardstick

NOTHING = "–"
ARROWS = {True: "↑", False: "↓", None: ""}
DIRECTIONS = {True: "higher is better", False: "lower is better", None: "neither higher nor lower is better"}


@dataclass(frozen=True)
class Cell:
    """One value of the table, ready to be shown."""

    text: str
    sd: str
    value: float | None
    best: bool
    repeats: str


@dataclass(frozen=True)
class Column:
    """One yardstick and its cell of every row, by row key."""

    yardstick: Yardstick
    deciding: bool
    decimals: int
    cells: dict[str, Cell]

    @property
    def arrow(self) -> str:
        """Up where higher is better, down where lower is."""
        return ARROWS[self.yardstick.higher_is_better]

    @property
    def direction(self) -> str:
        """The arrow in words."""
        return DIRECTIONS[self.yardstick.higher_is_better]


def decimals(values: Iterable[float | None], digits: int = 4) -> int:
    """Places after the point that give a typical value of these ``digits`` significant digits, 0 to 6.

    >>> decimals([0.4123, 0.0, None, 0.391]), decimals([1532.2, 1611.0]), decimals([])
    (4, 0, 2)
    """
    sizes = [abs(value) for value in values if value]
    if not sizes:
        return 2
    return min(6, max(0, digits - 1 - math.floor(math.log10(median(sizes)))))


def number(value: float | None, places: int = 3) -> str:
    """A number with fixed places; powers of ten where those would be unreadable; a dash for None.

    >>> number(0.41234), number(-0.0001, 3), number(3.2e9, 1), number(None)
    ('0.412', '0.000', '3.20e+09', '–')
    """
    if value is None:
        return NOTHING
    if abs(value) >= 10 ** max(6, 9 - places):
        return f"{value:.2e}"
    return f"{round(value, places) + 0.0:.{places}f}"


def duration(seconds: float) -> str:
    """A time span in the units one would say it in.

    >>> duration(0.034), duration(8.31), duration(133), duration(7500)
    ('0.03 s', '8.3 s', '2 min 13 s', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"


def standing(document: Document) -> list[Row]:
    """The rows between which was judged: all but those of other code sizes."""
    return [row for row in document.rows if row.verdict != "other size"]


def called(document: Document, row: Row) -> str:
    """The title of a row among those between which was judged: all of these have one code size."""
    return row.title if document.sweep is None else row.title.removesuffix(f", code {document.sweep.chosen}")


def columns(document: Document, digits: int = 4) -> list[Column]:
    """The deciding yardstick, then the others that some row has."""
    measured = {name for row in document.rows for name in row.measurements} | {document.goal.yardstick}
    known = [yardstick for yardstick in document.yardsticks if yardstick.name in measured]
    known.sort(key=lambda yardstick: yardstick.name != document.goal.yardstick)
    return [_column(document, yardstick, digits) for yardstick in known]


def unit(yardstick: Yardstick) -> str:
    """The unit as it is shown: nothing for a number without dimension.

    >>> unit(Yardstick(name="r2", title="R2", unit="1 (at most 1)", higher_is_better=True, explanation=""))
    ''
    """
    return "" if yardstick.unit.split(" ")[0] in ("1", "none") else yardstick.unit


def deciding(document: Document) -> Yardstick:
    """The yardstick that decides."""
    return next(y for y in document.yardsticks if y.name == document.goal.yardstick)


def behind(row: Row, places: int) -> str:
    """How far a row is behind the best: the mean difference and its 95 % interval.

    A row that nothing is compared with has a dash.
    """
    gap = row.difference
    if gap is None:
        return NOTHING
    return f"{number(gap.mean, places)} [{number(gap.low, places)}, {number(gap.high, places)}]"


def gap_decimals(document: Document) -> int:
    """Places after the point for differences: two significant digits of the typical interval's width."""
    widths = [row.difference.high - row.difference.low for row in document.rows if row.difference]
    return min(5, decimals(widths, 2))


def reference(document: Document) -> str | None:
    """Key of the row that most others are compared with: the best."""
    versus = [row.difference.versus for row in document.rows if row.difference]
    return max(versus, key=versus.count) if versus else None


def _column(document: Document, yardstick: Yardstick, digits: int) -> Column:
    found = {row.key: row.measurements[yardstick.name] for row in document.rows if yardstick.name in row.measurements}
    places = decimals((m.mean for m in found.values()), digits)
    top = _best(yardstick, [found[row.key] for row in standing(document) if row.key in found])
    cells = {key: _cell(m, places, m.mean is not None and m.mean == top) for key, m in found.items()}
    return Column(yardstick, yardstick.name == document.goal.yardstick, places, cells)


def _cell(measurement: Measurement, places: int, best: bool) -> Cell:
    sd = "" if measurement.sd is None else number(measurement.sd, places)
    repeats = ", ".join(number(value, places + 1) for value in measurement.values)
    return Cell(number(measurement.mean, places), sd, measurement.mean, best, repeats)


def _best(yardstick: Yardstick, found: Iterable[Measurement]) -> float | None:
    means = [m.mean for m in found if m.mean is not None]
    if not means or yardstick.higher_is_better is None:
        return None
    return max(means) if yardstick.higher_is_better else min(means)
