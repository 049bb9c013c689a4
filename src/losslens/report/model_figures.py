"""What the page draws of code sizes, and of what models of counts expect; the page puts the traces together."""

from __future__ import annotations

from typing import Any

from losslens.report.document import Document, PredictiveCheck, SizeCurve, Sweep
from losslens.report.figures import Detail, Figure, escaped

HEIGHT = 330
MARGIN = {"l": 58, "r": 12, "t": 12, "b": 48}


def sizes(document: Document) -> Figure | None:
    """Curves over code sizes, at equal steps: the yardstick that judges them, one the reader chooses, units in use."""
    sweep = document.sweep
    if sweep is None or not sweep.curves:
        return None
    judges = next(yardstick.title for yardstick in document.yardsticks if yardstick.name == sweep.yardstick)
    return {
        "curves": [_curve(curve, sweep, document) for curve in sweep.curves],
        "layouts": {
            name: _size_layout(sweep, title)
            for name, title in (("judged", judges), ("other", ""), ("active", "active units"))
        },
        "sizes": sweep.sizes,
    }


def checks(document: Document, detail: Detail) -> Figure:
    """For each row that models counts: zeros by feature and by profile, and variances against means."""
    shares = {"tickformat": ".0%", "rangemode": "tozero"}
    logs: Figure = {"type": "log", "exponentformat": "power", "nticks": 5, "tickangle": 0}
    below = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}
    return {
        "rows": {check.row: _check(check) for check in document.checks[: detail.checks]},
        "layouts": {
            "zeros": _layout(_titled(shares, "share of zeros seen, by feature"), _titled(shares, "expected")),
            "variances": _layout(_titled(logs, "mean count, by feature"), _titled(logs, "variance"))
            | {"showlegend": True, "legend": below, "margin": MARGIN | {"t": 34}},
            "profiles": _layout(_titled(shares, "share of zeros seen, by profile"), _titled(shares, "expected")),
        },
    }


def _curve(curve: SizeCurve, sweep: Sweep, document: Document) -> Figure:
    place = {size: number for number, size in enumerate(sweep.sizes)}
    rows = [document.row(point.row) for point in curve.points]
    return {
        "key": curve.key,
        "title": escaped(curve.title),
        "candidate": curve.role == "candidate",
        "x": [place[point.size] for point in curve.points],
        "judged": [point.mean for point in curve.points],
        "above": [None if point.high is None else point.high - point.mean for point in curve.points],
        "below": [None if point.low is None else point.mean - point.low for point in curve.points],
        "means": {each.name: [row.mean(each.name) for row in rows] for each in document.yardsticks},
        "knee": [None if end is None else place[end] for end in (curve.knee, curve.low, curve.high)],
    }


def _size_layout(sweep: Sweep, title: str) -> Figure:
    steps = len(sweep.sizes)
    across = {"range": [-0.35, steps - 0.65], "tickvals": list(range(steps)), "zeroline": False,
              "ticktext": [str(size) for size in sweep.sizes], "title": {"text": "code size"}}  # fmt: skip
    return _layout(across, {"title": {"text": title}, "zeroline": False})


def _layout(across: Figure, up: Figure) -> Figure:
    return {"height": HEIGHT, "margin": MARGIN, "showlegend": False, "hovermode": "closest",
            "xaxis": across, "yaxis": up | {"automargin": True}}  # fmt: skip


def _titled(axis: Figure, title: str) -> Figure:
    return axis | {"title": {"text": title}, "zeroline": False}


def _check(check: PredictiveCheck) -> dict[str, Any]:
    """Logarithmic axes have no place for zero: what is not positive is left out there."""
    shown = check.model_dump(exclude={"row", "features", "profiles", "verdict"})
    for name in ("variance_seen", "variance_expected"):
        shown[name] = [value if value and value > 0 else None for value in shown[name]]
    return shown | {"verdict": check.verdict, "note": _note(check)}


def _note(check: PredictiveCheck) -> str:
    """How many of the features and profiles are drawn."""
    parts = [
        ("features", len(check.zeros_seen), check.features),
        ("profiles", len(check.row_zeros_seen), check.profiles),
    ]
    return " and ".join(f"{shown:,} of {there:,} {name}" if shown < there else f"all {there:,} {name}"
                        for name, shown, there in parts)  # fmt: skip
