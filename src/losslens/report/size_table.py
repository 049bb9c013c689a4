"""The table of code sizes as plain text cells, for page and terminal."""

from __future__ import annotations

from dataclasses import dataclass

from losslens.report import table
from losslens.report.document import Document, SizeCurve


@dataclass(frozen=True)
class SizeLine:
    """One candidate, or PCA: its mean at each size, its knee with the interval, its active units at each size."""

    curve: SizeCurve
    means: list[str]
    knee: str
    active: str


def size_lines(document: Document, digits: int = 4) -> list[SizeLine]:
    """A line for each curve; none where one code size was asked for."""
    if document.sweep is None:
        return []
    curves = document.sweep.curves
    places = table.decimals((point.mean for curve in curves for point in curve.points), digits)
    return [_line(document, document.sweep.sizes, curve, places) for curve in curves]


def _line(document: Document, sizes: list[int], curve: SizeCurve, places: int) -> SizeLine:
    means = {point.size: table.number(point.mean, places) for point in curve.points}
    active = [document.row(point.row).mean("active_units") for point in curve.points]
    return SizeLine(
        curve,
        [means.get(size, table.NOTHING) for size in sizes],
        table.NOTHING if curve.knee is None else f"{curve.knee} [{curve.low}, {curve.high}]",
        ", ".join(table.number(each, 0) for each in active),
    )
