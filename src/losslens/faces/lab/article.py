"""The page of one setting of the laboratory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from losslens import lab
from losslens.lab.reading import Figure, Reading, Setting
from losslens.report.article import Article, Plot, Section, Table
from losslens.report.figures import PALETTE
from losslens.report.plots import Axis, Curve, arrows, curves

DRAWN = 300  # points of a curve
NORMS = tuple(10.0 ** (place / 10.0) for place in range(-10, 16))
STARTS = (0.4, 0.7, 1.0, 1.5)  # norms of the points that move in the plane
PLACES = 20  # of the slider
STRENGTH = 0.2  # the step in the plane: large, so that growth is seen
PULLS, PULL = 2000, 0.5  # steps towards ever new directions, and their size
OVERSHOOT = 0.5  # radians of one step from which on formulas for small steps are left
FEW: dict[str, Any] = {"count": 100, "seed": 0}


def article(reading: Reading) -> Article:
    """Figures, the plane, the course, growth, and steps by norm."""
    return Article(
        name="lab",
        sentence=_sentence(reading),
        lead=(
            "The gradient of a cosine at a point is the other's direction without the part along the point, divided by "
            "the point's norm. It fades where the norm is large and where directions agree or are opposite, and every "
            "step along it makes the norm grow.",
        ),
        sections=(_figures(reading), _plane(reading.setting), _course(reading), _growth(), _by_norm(reading)),
    )


def _sentence(reading: Reading) -> str:
    setting, steps = reading.setting, reading.course.steps
    start = f"From norm {setting.norm:g} at {math.degrees(setting.angle):g} degrees"
    if steps is None:
        return f"{start} the cosine does not reach {setting.until:g} in {lab.MOST_READ:,} steps."
    plain = replace(setting, norm=1.0, decay=0.0, grad_scale=0.0)
    compared = plain != setting and plain.steps > 0.0
    times = f": {steps / plain.steps:.3g} times as many as from norm 1 without remedies" if compared else ""
    return f"{start} the cosine reaches {setting.until:g} in {steps:,} steps{times}."


def _figures(reading: Reading) -> Section:
    rows = tuple((each.what, number(each.formula), _measured(each), each.by) for each in reading.figures)
    table = Table(title="Closed form and measurement", columns=("", "closed form", "measured", "by"), rows=rows)
    return Section(
        title="What a step does here",
        tables=(table,),
        paragraphs=_limits(reading.setting),
        notes=(_told(reading.setting),),
    )


def _limits(setting: Setting) -> tuple[str, ...]:
    """Where the closed form of the number of steps does not hold."""
    turn = setting.step * setting.norm ** (setting.grad_scale - 2.0)
    said = []
    if turn > OVERSHOOT:
        said.append(
            f"A step turns by up to {turn:.3g} rad here and overshoots: the closed form of the number of steps, which "
            "is for small steps, does not hold. The norm grows until steps are small."
        )
    if setting.decay > 0.0:
        said.append("The closed form of the number of steps knows nothing of the decay.")
    return tuple(said)


def _told(setting: Setting) -> str:
    moves = "Both sides move" if setting.sides == 2 else "One side moves"
    return (
        f"{moves}, step {setting.step:g} for a pair, {setting.dimension} dimensions, weight decay {setting.decay:g}, "
        f"GradScale {setting.grad_scale:g}."
    )


def _measured(figure: Figure) -> str:
    return f"more than {lab.MOST_READ:,}" if figure.measured is None and figure.by else number(figure.measured)


def number(value: float | None) -> str:
    """A number as it is to be read: to five digits, whole ones with commas up to a billion.

    >>> number(9501.4), number(0.03998401), number(9.5005029e61), number(None)
    ('9,501', '0.039984', '9.5005e+61', '–')
    """
    if value is None:
        return "–"
    if abs(value) >= 1e9:
        return f"{value:.5g}"
    return f"{value:,.0f}" if abs(value) >= 1000.0 or value == int(value) else f"{value:.5g}"


def _plane(setting: Setting) -> Section:
    text = (
        "Arrows point where the cosine with the target (to the right) rises. None has a part along its point, so that "
        "points swing around the origin and move outwards; far and nearly opposite ones hardly turn. Move the slider."
    )
    plot = Plot(
        title=f"Gradient field in two dimensions, and points that follow it (step {STRENGTH:g})",
        words="Arrows across the direction to the origin, longer near it, and points that move along them.",
        figure=_field(setting),
    )
    return Section(title="The gradient field", paragraphs=(text,), plots=(plot,))


def _field(setting: Setting) -> dict[str, Any]:
    """Arrows, the target, and points whose ways a slider lengthens."""
    field = lab.gradient_field(extent=2.25, resolution=18)
    trace = arrows(field.points.tolist(), (0.25 * field.vectors).tolist(), longest=0.25)
    target = {"type": "scatter", "mode": "lines", "name": "target", "x": [0, 2.25], "y": [0, 0], "line": {"width": 4}}
    starts = {f"from norm {norm:g}": _at(setting.angle, norm) for norm in STARTS}
    starts["from nearly opposite"] = _at(-2.9, 1.0)
    more = {"decay": min(setting.decay, 1.0), "grad_scale": setting.grad_scale}
    ways = lab.paths(torch.tensor([*starts.values()]), step=STRENGTH, steps=5 * PLACES, **more).tolist()
    moving = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "line": {"color": colour}, **_until(ways, place, 0)}
        for place, (name, colour) in enumerate(zip(starts, PALETTE, strict=False))
    ]
    slider = {"currentvalue": {"prefix": "steps: "}, "pad": {"t": 30}, "steps": _slider(ways)}
    axes = {"range": [-2.3, 2.3], "constrain": "domain"}
    layout = {"xaxis": axes, "yaxis": {**axes, "scaleanchor": "x"}, "height": 620, "sliders": [slider]}
    return {"data": [trace, target, *moving], "layout": layout}


def _at(angle: float, norm: float) -> tuple[float, float]:
    return norm * math.cos(angle), norm * math.sin(angle)


def _until(ways: list[Any], place: int, step: int) -> dict[str, list[float]]:
    """The way of a point up to a step."""
    way = [points[place] for points in ways[: step + 1]]
    return {"x": [round(x, 3) for x, _ in way], "y": [round(y, 3) for _, y in way]}


def _slider(ways: list[Any]) -> list[dict[str, Any]]:
    """One position each five steps, which changes the traces behind the arrows and the target."""
    positions = []
    for step in range(0, len(ways), 5):
        parts = [_until(ways, place, step) for place in range(len(ways[0]))]
        data = {axis: [part[axis] for part in parts] for axis in ("x", "y")}
        traces = list(range(2, 2 + len(parts)))
        positions.append({"label": str(step), "method": "restyle", "args": [data, traces]})
    return positions


def _course(reading: Reading) -> Section:
    setting, course = reading.setting, reading.course
    places = _thinned(len(course.cosine))
    more: dict[str, Any] = {"sides": setting.sides, "grad_scale": setting.grad_scale}
    formula = [math.cos(lab.angle_after(place, setting.angle, setting.norm, setting.step, **more)) for place in places]
    cosines = {
        "simulated": Curve(places, [course.cosine[place] for place in places]),
        "small steps, closed form": Curve(places, formula, dash="dash"),
    }
    norms = {"simulated": Curve(places, [course.norm[place] for place in places])}
    return Section(
        title="Step by step",
        plots=(
            Plot(title="Cosine", words="Cosine by step.", figure=curves(cosines, Axis("step"), Axis("cosine"))),
            Plot(title="Norm", words="Norm by step.", figure=curves(norms, Axis("step"), Axis("norm"))),
        ),
    )


def _growth() -> Section:
    sine = 1.0 - 1.0 / 20.0
    grown = lab.wander(PULLS, norm=1.0, step=PULL, **FEW)
    decayed = lab.wander(PULLS, norm=1.0, step=PULL, decay=0.01, **FEW)
    places = _thinned(PULLS + 1)
    level = lab.equilibrium_norm(PULL, 0.01, sine_squared=sine)
    named = {
        "no decay, simulated": Curve(places, [grown[place] for place in places]),
        "no decay, closed form": Curve(
            places, [lab.norm_after(place, 1.0, PULL, sine_squared=sine) for place in places], dash="dash"
        ),
        "decay 0.01, simulated": Curve(places, [decayed[place] for place in places]),
        "equilibrium, closed form": Curve([0, PULLS], [level, level], dash="dash"),
    }
    text = (
        "Points that are pulled towards a new direction at each step never arrive, as in training on ever new views. "
        "Their norm grows with the fourth root of time; weight decay holds it at a level."
    )
    plot = Plot(
        title=f"Norm by step (step {PULL:g})",
        words="Norms that grow ever more slowly, and level off with decay.",
        figure=curves(named, Axis("step"), Axis("mean norm")),
    )
    return Section(title="Growth of the norm, and weight decay", paragraphs=(text,), plots=(plot,))


def _by_norm(reading: Reading) -> Section:
    setting = reading.setting
    named = {f"GradScale {power:g}": Curve(NORMS, _steps(setting, power)) for power in (0.0, 1.0, 2.0)}
    if reading.course.steps:
        named["simulated here"] = Curve([setting.norm], [float(reading.course.steps)], mode="markers")
    plot = Plot(
        title=f"Steps until cosine {setting.until:g}",
        words="Steps by norm: quadratic without GradScale, linear with power one, level with power two.",
        figure=curves(named, Axis("norm", log=True), Axis("steps", log=True)),
    )
    text = "Quadratic in the norm; GradScale with power 1 makes it linear, with power 2 the norm drops out."
    return Section(title="Steps by norm", paragraphs=(text,), plots=(plot,))


def _steps(setting: Setting, power: float) -> list[float]:
    return [
        lab.steps_needed(
            norm, setting.step, angle=setting.angle, until=setting.until, sides=setting.sides, grad_scale=power
        )
        for norm in NORMS
    ]


def _thinned(count: int) -> Sequence[int]:
    """At most so many places from first to last."""
    every = max(1, -(-count // DRAWN))
    return sorted({*range(0, count, every), count - 1})
