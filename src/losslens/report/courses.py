"""What self-supervised methods did while they trained: readings by epoch, and how soon neighbours told the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from losslens.report import table
from losslens.report.document import Course, Document, Row
from losslens.report.figures import PALETTE, Figure, escaped

READINGS = {
    "knn_accuracy": "kNN accuracy on the validation part",
    "norm": "mean norm of embeddings",
    "positive_cosine": "mean cosine of positive pairs",
    "effective_rank": "effective rank of normalised embeddings",
    "spread": "spread of normalised embeddings (1: even, 0: collapsed)",
    "loss": "its own loss",
}
SHARE = 0.95  # of the best last accuracy: the level whose first epoch is told


@dataclass(frozen=True)
class CourseLine:
    """One row: the epoch in which it reached the level, and its readings before and after training, as text."""

    row: Row
    reached: str
    norm: str
    rank: str
    accuracy: str


def level(document: Document) -> float | None:
    """95 % of the best accuracy of neighbours that any row ends with, a mean over repeats; None without labels."""
    ends = [last for row in document.rows if (last := _end(row, "knn_accuracy")) is not None]
    return SHARE * max(ends) if ends else None


def first_epoch(course: Course, at: float) -> int | None:
    """The first epoch read in which neighbours reach an accuracy; None if none does.

    >>> first_epoch(Course(repeat=0, readings={"knn_accuracy": [0.1, None, 0.5, 0.6]}), 0.5)
    2
    """
    values = course.readings.get("knn_accuracy", [])
    return next((epoch for epoch, value in enumerate(values) if value is not None and value >= at), None)


def course_lines(document: Document) -> list[CourseLine]:
    """A line for each self-supervised row, in the order of the table."""
    at = level(document)
    return [_line(row, at) for row in table.standing(document) if row.courses]


def courses(document: Document, epochs: int) -> Figure | None:
    """Means over repeats of every reading by epoch; None where nothing was read."""
    rows = [row for row in table.standing(document) if row.courses]
    if not rows:
        return None
    known = [name for name in READINGS if any(_mean(row, name) for row in rows)]
    return {
        "readings": {
            name: {"data": [_trace(document, row, name, place, epochs) for place, row in enumerate(rows)],
                   "layout": _layout(READINGS[name])}
            for name in known
        },
    }  # fmt: skip


def readings(document: Document) -> dict[str, str]:
    """Names and titles of the readings that some row has."""
    return {name: title for name, title in READINGS.items() if any(_mean(row, name) for row in document.rows)}


def _line(row: Row, at: float | None) -> CourseLine:
    return CourseLine(
        row,
        _reached([first_epoch(course, at) for course in row.courses] if at is not None else []),
        _change(row, "norm"),
        _change(row, "effective_rank"),
        _change(row, "knn_accuracy"),
    )


def _reached(epochs: Sequence[int | None]) -> str:
    """The mean over repeats, and the ends; how many never got there."""
    known = [epoch for epoch in epochs if epoch is not None]
    never = f"not in {len(epochs) - len(known)} of {len(epochs)}" if len(known) < len(epochs) else ""
    if not known:
        return never or table.NOTHING
    spread = f" [{min(known)}, {max(known)}]" if len(known) > 1 else ""
    return f"{np.mean(known):.3g}{spread}" + (f", {never}" if never else "")


def _change(row: Row, name: str) -> str:
    first, last = _start(row, name), _end(row, name)
    return table.NOTHING if first is None or last is None else f"{first:.3g} → {last:.3g}"


def _start(row: Row, name: str) -> float | None:
    return next((value for _, value in _mean(row, name)), None)


def _end(row: Row, name: str) -> float | None:
    return next((value for _, value in reversed(_mean(row, name))), None)


def _mean(row: Row, name: str) -> list[tuple[int, float]]:
    """Epoch and mean over the repeats that have it."""
    series = [course.readings[name] for course in row.courses if name in course.readings]
    found = []
    for epoch in range(max(map(len, series), default=0)):
        values = [own[epoch] for own in series if epoch < len(own) and own[epoch] is not None]
        if values:
            found.append((epoch, float(np.mean(values))))  # type: ignore[arg-type]
    return found


def _trace(document: Document, row: Row, name: str, place: int, most: int) -> Figure:
    points = _mean(row, name)
    step = -(-len(points) // most)
    kept = sorted({*range(0, len(points), max(1, step)), len(points) - 1} - {-1})
    return {
        "type": "scatter", "mode": "lines", "name": escaped(table.called(document, row)),
        "x": [points[i][0] for i in kept], "y": [points[i][1] for i in kept],
        "line": {"color": PALETTE[place % len(PALETTE)], "width": 2,
                 "dash": ("solid", "dash", "dot")[place // len(PALETTE) % 3]},
    }  # fmt: skip


def _layout(title: str) -> Figure:
    return {
        "height": 400, "margin": {"l": 60, "r": 15, "t": 30, "b": 50}, "hovermode": "x unified",
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        "xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero", "zeroline": False},
        "yaxis": {"title": {"text": title}, "zeroline": False, "automargin": True},
    }  # fmt: skip
