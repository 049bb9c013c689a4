"""The pictures of a report as plotly figures in plain dictionaries; colours of text and grid are the page's own."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from losslens.report import table
from losslens.report.document import Curve, Difference, Document, Example, Picture, Row

Figure = dict[str, Any]

# Okabe and Ito's palette (without black and yellow, which vanish on a dark or a light page) and a grey.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A8F98")
# Together with the palette 42 labels can be told apart, by shape where colours repeat.
SYMBOLS = (("circle", "●"), ("diamond", "◆"), ("square", "■"), ("triangle-up", "▲"), ("cross", "✚"), ("star", "★"))
VERDICTS = {
    "recommended": ("#0072B2", "circle"),
    "tied": ("#009E73", "circle"),
    "worse": ("#D55E00", "circle"),
    "baseline": ("#8A8F98", "diamond"),
    "not judged": ("#CC79A7", "x"),
}
TRAIN, VALID, FAINT = "#E69F00", "#0072B2", 0.3
PANELS = 6
MOST_LABELS = 24


@dataclass(frozen=True)
class Detail:
    """How much of the data the pictures carry; less where a page would grow too large."""

    epochs: int = 80
    faint: bool = True
    examples: int = 24
    pictures: int = 40
    points: int = 2000
    checks: int = 30


def figures(document: Document, detail: Detail) -> Figure:
    """Everything the page draws: figures or the parts it puts together when the reader chooses."""
    return {
        "intervals": intervals(document),
        "curves": curves(document, detail),
        "examples": examples(document, detail),
        "pictures": pictures(document, detail),
    }


def intervals(document: Document) -> Figure | None:
    """How far each row is behind the best, with its 95 % interval; None if nothing was compared."""
    best = table.reference(document)
    rows = [row for row in document.rows if row.difference or row.key == best]
    if best is None:
        return None
    low, high = _reach(rows)
    yardstick = table.deciding(document)
    unit = f" ({table.unit(yardstick)})" if table.unit(yardstick) else ""
    groups = [verdict for verdict in VERDICTS if any(row.verdict == verdict for row in rows)]
    return {
        "data": [_interval_trace(verdict, rows, high, document) for verdict in groups],
        "layout": {
            "height": 110 + 30 * len(rows),
            "margin": {"l": 10, "r": 20, "t": 40, "b": 60},
            "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
            "xaxis": {"range": [low, high], "zeroline": True, "zerolinewidth": 2,
                      "title": {"text": f"{yardstick.title} behind the best candidate{unit}"}},
            "yaxis": {"range": [len(rows) - 0.4, -0.6], "tickvals": list(range(len(rows))), "showgrid": False,
                      "ticktext": [escaped(table.called(document, row)) for row in rows], "zeroline": False,
                      "automargin": True},
            "shapes": [_band(place) for place, row in enumerate(rows) if row.verdict in ("recommended", "tied")],
            "annotations": [_off_scale(place, row.difference) for place, row in enumerate(rows)
                            if row.difference and row.difference.mean > high],
        },
    }  # fmt: skip


def curves(document: Document, detail: Detail) -> Figure:
    """For each trained row its losses by epoch: the chosen learning rates solid, the others faint."""
    rows = [row for row in table.standing(document) if row.curves]
    layout = {
        "height": 400,
        "margin": {"l": 60, "r": 15, "t": 30, "b": 50},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "reversed"},
        "xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero", "zeroline": False},
        "yaxis": {"title": {"text": "its own loss"}, "zeroline": False, "automargin": True},
        "hovermode": "closest",
    }
    return {"layout": layout, "rows": {row.key: _curve_traces(row, detail) for row in rows}}


def examples(document: Document, detail: Detail) -> Figure:
    """Held-out profiles and their reconstructions, the features in falling order of the original."""
    layout = {
        "height": 380,
        "margin": {"l": 55, "r": 10, "t": 30, "b": 70},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        "xaxis": {"type": "category", "showgrid": False, "tickfont": {"size": 9}, "tickangle": -60},
        "yaxis": {"title": {"text": document.dataset.space}, "rangemode": "tozero"},
        "hovermode": "x unified",
    }
    agreement = {
        "height": 380,
        "margin": {"l": 55, "r": 10, "t": 30, "b": 50},
        "showlegend": False,
        "xaxis": {"title": {"text": "original"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "reconstruction"}, "rangemode": "tozero"},
        "hovermode": "closest",
    }
    items = [_example(example) for example in document.examples[: detail.examples]]
    return {"layout": layout, "agreement": agreement, "colours": [VALID, "#D55E00"], "items": items}


def pictures(document: Document, detail: Detail) -> Figure:
    """A 2-D picture of each code, its points grouped by label: the page draws those the reader chooses."""
    layout = {
        "height": 310,
        "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
        "showlegend": False,
        "hovermode": "closest",
        "xaxis": {"showticklabels": False, "showgrid": False, "zeroline": False},
        "yaxis": {"showticklabels": False, "showgrid": False, "zeroline": False, "scaleanchor": "x"},
    }
    names = [entry["name"] for entry in legend(document)]
    labels = document.picture_labels or []
    group = [names.index(label) if label in names else len(names) - 1 for label in labels]
    shown = document.pictures[: detail.pictures]
    return {
        "layout": layout,
        "legend": legend(document),
        "group": group[: detail.points],
        "rows": {picture.row: _points(picture, detail) for picture in shown},
    }


def legend(document: Document) -> list[dict[str, Any]]:
    """The labels of the pictures with their colour and shape, the most frequent first; rare ones as one."""
    counts = Counter(document.picture_labels or [])
    ranked = counts.most_common()
    kept = ranked if len(ranked) <= MOST_LABELS else ranked[: MOST_LABELS - 1]
    rest = counts.total() - sum(count for _, count in kept)
    named = [*kept, *([("all others", rest)] if rest else [])]
    return [_entry(place, name, count) for place, (name, count) in enumerate(named)]


def panels(document: Document) -> list[str]:
    """Keys of the rows whose pictures are drawn at first: the recommended, the best others, and one baseline."""
    drawn = {picture.row for picture in document.pictures}
    keys = [row.key for row in table.standing(document) if row.key in drawn]
    keys.sort(key=lambda key: key != document.recommended)
    baselines = [key for key in keys if document.row(key).role == "baseline"]
    first = keys[:PANELS]
    if baselines and not set(baselines) & set(first):
        first[-1] = baselines[0]
    return first


def rounded(value: Any, digits: int = 4) -> Any:
    """The same structure with every number rounded to significant digits, and None for what is not finite.

    >>> rounded({"x": [0.123456, float("nan"), 12345.6, 3]})
    {'x': [0.1235, None, 12350, 3]}
    """
    if isinstance(value, dict):
        return {name: rounded(part, digits) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part, digits) for part in value]
    return _rounded_number(value, digits) if isinstance(value, float) else value


def escaped(text: str) -> str:
    """Text as plotly shows it letter by letter: plotly reads a small part of HTML in its labels."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _rounded_number(value: float, digits: int) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short


def _interval_trace(verdict: str, rows: list[Row], edge: float, document: Document) -> Figure:
    colour, symbol = VERDICTS[verdict]
    placed = [(place, row, row.difference) for place, row in enumerate(rows) if row.verdict == verdict]
    means = [gap.mean if gap else 0.0 for _, _, gap in placed]
    return {
        "type": "scatter", "mode": "markers", "name": verdict, "x": means, "y": [place for place, _, _ in placed],
        "marker": {"color": colour, "symbol": symbol, "size": 11},
        "error_x": {"type": "data", "symmetric": False, "thickness": 2.5, "width": 0, "color": colour,
                    "array": [gap.high - gap.mean if gap else 0.0 for _, _, gap in placed],
                    "arrayminus": [gap.mean - gap.low if gap else 0.0 for _, _, gap in placed]},
        "text": [_hover(row, document) for _, row, _ in placed], "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _hover(row: Row, document: Document) -> str:
    gap, name = row.difference, f"<b>{escaped(table.called(document, row))}</b>"
    if gap is None:
        return f"{name}<br>the best: all others are compared with it"
    width = table.behind(row, table.gap_decimals(document))
    return f"{name}<br>behind by {width}<br>p = {gap.p:.2g}, after Holm {gap.p_holm:.2g}"


def _reach(rows: list[Row]) -> tuple[float, float]:
    """Ends of the axis: all intervals of the candidates, unless a few lie so far out that they hide the others."""
    gaps = [row.difference for row in rows if row.difference]
    candidates = [row.difference for row in rows if row.difference and row.role == "candidate"] or gaps
    highs = sorted(gap.high for gap in candidates)
    typical = highs[(len(highs) - 1) * 3 // 4]
    high = max(h for h in highs if h <= 3 * typical) if typical > 0 else highs[-1]
    low = min(0.0, *(gap.low for gap in gaps if abs(gap.low) <= 3 * max(high, 1e-12)), 0.0)
    pad = 0.06 * ((high - low) or 1.0)
    return low - pad, high + 2 * pad


def _band(place: int) -> Figure:
    """A tint behind a row that cannot be told apart from the best."""
    return {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": place - 0.5, "y1": place + 0.5,
            "fillcolor": "rgba(0,158,115,0.11)", "line": {"width": 0}, "layer": "below"}  # fmt: skip


def _off_scale(place: int, gap: Difference) -> Figure:
    return {"xref": "paper", "x": 1, "xanchor": "right", "y": place, "showarrow": False,
            "text": f"{table.number(gap.mean)} →"}  # fmt: skip


def _curve_traces(row: Row, detail: Detail) -> list[Figure]:
    """Faint ones first, to lie below; one entry in the legend for each kind."""
    kept = [curve for curve in row.curves if curve.chosen or detail.faint]
    kept.sort(key=lambda curve: curve.chosen)
    traces = [trace for curve in kept for trace in _curve_pair(curve, detail)]
    seen: set[str] = set()
    for trace in traces:
        trace["showlegend"] = trace["name"] not in seen
        seen.add(trace["name"])
    return traces


def _curve_pair(curve: Curve, detail: Detail) -> list[Figure]:
    where = _thinned(curve, detail.epochs)
    train = [None] * (len(curve.valid) - len(curve.train)) + curve.train  # no training loss before the first epoch
    pair = (("training", train, TRAIN), ("validation", curve.valid, VALID))
    return [_curve_trace(curve, name, values, colour, where) for name, values, colour in pair]


def _curve_trace(curve: Curve, name: str, values: list[float | None], colour: str, where: list[int]) -> Figure:
    group = name if curve.chosen else f"{name}, other learning rates"
    where = [epoch for epoch in where if epoch < len(values)]
    return {
        "type": "scatter", "mode": "lines", "name": group, "legendgroup": group,
        "x": where, "y": [values[epoch] for epoch in where], "opacity": 1 if curve.chosen else FAINT,
        "line": {"color": colour, "width": 2 if curve.chosen else 1.2},
        "hovertemplate": f"repeat {curve.repeat + 1}, learning rate {curve.lr:g}, best epoch {curve.best_epoch}"
                         f"<br>epoch %{{x}}: %{{y:.4g}}<extra>{name}</extra>",
    }  # fmt: skip


def _thinned(curve: Curve, most: int) -> list[int]:
    """Epochs to draw: all, or evenly spaced ones and the best."""
    epochs = max(len(curve.train), len(curve.valid))
    if epochs <= most:
        return list(range(epochs))
    return sorted({*(round(i * (epochs - 1) / (most - 1)) for i in range(most)), curve.best_epoch})


def _example(example: Example) -> Figure:
    order = sorted(range(len(example.target)), key=lambda place: -example.target[place])
    label = f" · {example.label}" if example.label is not None else ""
    return {
        "title": f"{example.sample}{label}",
        "features": [escaped(example.features[place]) for place in order],
        "target": [example.target[place] for place in order],
        "reconstructions": {k: [values[p] for p in order] for k, values in example.reconstructions.items()},
    }


def _points(picture: Picture, detail: Detail) -> Figure:
    return {"x": rounded(picture.x[: detail.points], 3), "y": rounded(picture.y[: detail.points], 3)}


def _entry(place: int, name: str, count: int) -> dict[str, Any]:
    symbol, sign = SYMBOLS[place // len(PALETTE) % len(SYMBOLS)]
    return {"name": name, "count": count, "colour": PALETTE[place % len(PALETTE)], "symbol": symbol, "sign": sign}
