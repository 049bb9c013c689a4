"""Plots as plotly takes them, from numbers: lines, and arrows in the plane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from losslens.report.figures import PALETTE, rounded

HEIGHT = 360
SOFT = PALETTE[-1]


class Axis(NamedTuple):
    """What an axis is called, and whether it is logarithmic.

    >>> Axis("norm", log=True).layout["type"]
    'log'
    """

    title: str
    log: bool = False

    @property
    def layout(self) -> dict[str, Any]:
        """As plotly takes it."""
        return {"title": {"text": self.title}, "type": "log" if self.log else "linear"}


class Curve(NamedTuple):
    """Numbers to be joined by a line; ``dash`` for a formula, ``markers`` for what was measured.

    >>> Curve([1.0], [2.0]).mode
    'lines'
    """

    x: Sequence[float]
    y: Sequence[float]
    mode: str = "lines"
    dash: str = "solid"


def curves(named: Mapping[str, Curve], x: Axis, y: Axis) -> dict[str, Any]:
    """A plot of named curves.

    >>> curves({"ours": Curve([1.0, 2.0], [3.0, 4.0])}, Axis("x"), Axis("y"))["data"][0]["name"]
    'ours'
    """
    traces = [
        {
            "type": "scatter", "mode": curve.mode, "name": name,
            "x": rounded(list(curve.x), 6), "y": rounded(list(curve.y), 6),
            "line": {"color": PALETTE[place % len(PALETTE)], "dash": curve.dash, "width": 2}, "marker": {"size": 8},
        }
        for place, (name, curve) in enumerate(named.items())
    ]  # fmt: skip
    return {"data": traces, "layout": {"xaxis": x.layout, "yaxis": y.layout, "height": HEIGHT}}


def arrows(points: Sequence[Sequence[float]], vectors: Sequence[Sequence[float]], longest: float) -> dict[str, Any]:
    """A trace of arrows from points along vectors, those longer than ``longest`` cut to it.

    >>> arrows([[0.0, 0.0]], [[3.0, 4.0]], longest=1.0)["x"]
    [0.0, 0.6, None]
    """
    x: list[float | None] = []
    y: list[float | None] = []
    angles: list[float] = []
    for (left, low), (right, up) in zip(points, vectors, strict=True):
        scale = min(1.0, longest / max(math.hypot(right, up), 1e-12))
        x += [round(left, 4), round(left + scale * right, 4), None]
        y += [round(low, 4), round(low + scale * up, 4), None]
        angles += [0.0, round(90.0 - math.degrees(math.atan2(up, right)), 1), 0.0]
    return {
        "type": "scatter", "mode": "lines+markers", "x": x, "y": y, "hoverinfo": "skip", "name": "gradient",
        "line": {"color": SOFT, "width": 1.2},
        "marker": {"symbol": "arrow", "angle": angles, "size": [0, 6, 0] * len(points), "color": SOFT},
    }  # fmt: skip
