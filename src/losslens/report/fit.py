"""The fits of coordinate networks as a value, and as one self-contained page. Needs no torch."""

from __future__ import annotations

import json
from typing import Any

from losslens import __version__
from losslens.models.spec import Spec
from losslens.report.figures import PALETTE
from losslens.report.html import packed, plotly_js
from losslens.report.templates import environment

TITLES = {"siren": "SIREN", "relu": "ReLU", "tanh": "tanh", "fourier": "ReLU with Fourier features"}
DRAWN = 2000  # points of a sound in the page


class FittedRow(Spec):
    """One network after its training: settings, size, and readings of the yardstick as (step, value)."""

    kind: str
    title: str
    network: dict[str, Any]
    parameters: int
    steps: int
    seconds: float
    score: float | None
    curve: tuple[tuple[int, float | None], ...]
    diverged: str = ""


class Fitted(Spec):
    """Everything that a run of ``implicit`` found; the schema of its results.json."""

    format: int = 1
    losslens: str = __version__
    task: str
    source: str
    shape: tuple[int, ...]
    yardstick: str
    unit: str
    higher_is_better: bool
    settings: dict[str, Any]
    warnings: tuple[str, ...]
    rows: tuple[FittedRow, ...]

    @property
    def sentence(self) -> str:
        """The outcome in one sentence, the first network beside the best of the others."""
        first, *others = self.rows
        if first.score is None:
            return f"{first.title} did not learn '{self.task}': {first.diverged}."
        start = f"{self.yardstick} after {first.steps:,} steps: {first.title} {_number(first.score, self.unit)}"
        scored = [row for row in others if row.score is not None]
        if not scored:
            return f"{start}."
        best = max(scored, key=lambda row: (row.score or 0.0) * (1 if self.higher_is_better else -1))
        return f"{start}; {best.title}, the best of the others, {_number(best.score or 0.0, self.unit)}."


def render(found: Fitted, pictures: list[tuple[str, str]], sounds: dict[str, list[float]]) -> str:
    """The page: curves, scores, and pictures (caption, data URI) or sounds (values by caption) side by side."""
    figures = {"curves": _curves(found), "sounds": _sounds(sounds)}
    data = json.dumps(figures, separators=(",", ":"), allow_nan=False)
    template = environment().get_template("losslens.report/fit.html.j2")
    return template.render(
        found=found,
        number=lambda row: shown_score(found, row),
        pictures=pictures,
        library=plotly_js(False),
        data=packed(data),
    )


def shown_score(found: Fitted, row: FittedRow) -> str:
    """The yardstick's reading with its unit."""
    return "–" if row.score is None else _number(row.score, found.unit)


def _number(value: float, unit: str) -> str:
    return f"{value:.2f} {unit}" if unit == "dB" else f"{value:.3g} {unit}".strip()


def _curves(found: Fitted) -> dict[str, Any]:
    unit = f" ({found.unit})" if found.unit else ""
    axis = {"title": {"text": found.yardstick + unit}}
    if not found.higher_is_better:
        axis["type"] = "log"  # type: ignore[assignment]
    traces = [
        {
            "type": "scatter", "mode": "lines", "name": row.title,
            "x": [step for step, _ in row.curve], "y": [value for _, value in row.curve],
            "line": {"color": PALETTE[place], "width": 3 if place == 0 else 1.6},
        }
        for place, row in enumerate(found.rows)
    ]  # fmt: skip
    return {"data": traces, "layout": {"xaxis": {"title": {"text": "step"}}, "yaxis": axis, "height": 380}}


def _sounds(sounds: dict[str, list[float]]) -> dict[str, Any] | None:
    if not sounds:
        return None
    traces = [
        {"type": "scatter", "mode": "lines", "name": caption, "y": values, "line": {"width": 1}}
        for caption, values in sounds.items()
    ]
    layout = {"xaxis": {"title": {"text": "sample"}}, "yaxis": {"title": {"text": "value"}}, "height": 320}
    return {"data": traces, "layout": layout}
