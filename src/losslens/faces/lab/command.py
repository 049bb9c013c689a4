"""The command ``lab``."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from losslens.faces.options import Json, print_json
from losslens.vocabulary.errors import BadInput

if TYPE_CHECKING:
    from losslens.lab.reading import Reading, Setting

LAB_EXAMPLES = (
    "Examples:  losslens lab --norm 10  |  losslens lab --norm 10 --grad-scale 1 -o faded  |  "
    "losslens lab --norm 2 --angle 170 --sides 1 --weight-decay 0.01 --json"
)


def lab(
    norm: Annotated[float, typer.Option(help="Norm of both points.")] = 1.0,
    angle: Annotated[float, typer.Option(help="Angle between them, in degrees.")] = 90.0,
    step: Annotated[float, typer.Option(help="Step size of one pair; 10 on the mean of 500 pairs is 0.02.")] = 0.02,
    dimension: Annotated[int, typer.Option(help="Dimensions of the space.")] = 20,
    sides: Annotated[int, typer.Option(help="How many of the two points move: 2, or 1 for a stopped gradient.")] = 2,
    weight_decay: Annotated[float, typer.Option(help="On the points themselves.")] = 0.0,
    grad_scale: Annotated[float, typer.Option(help="Power of the norm that gradients are multiplied by.")] = 0.0,
    until: Annotated[float, typer.Option(help="Cosine at which the pair has arrived.")] = 0.999,
    seed: Annotated[int, typer.Option(help="Directions of the pairs.")] = 0,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Output folder; an earlier one is overwritten.")
    ] = None,
    json: Json = False,
) -> None:
    """Show how a cosine's gradient fades with the norm and the angle, and what remedies change.

    Prints the size of the gradient, what one step does, and the number of steps, each in closed form beside autograd or
    a simulation. Writes results.json, an interactive report.html with the gradient field and the growth of norms, and
    the same as picture.svg.
    """
    from losslens.faces.folder import place
    from losslens.faces.lab.article import article
    from losslens.faces.lab.files import check_folder
    from losslens.lab.reading import Setting, read

    folder = place(out, "lab")
    check_folder(folder, "lab")
    radians = math.radians(angle)
    setting = Setting(norm, radians, step, dimension, sides, weight_decay, grad_scale, until, seed)
    reading = read(setting)
    record = _record(reading)
    made = article(reading)
    missing = _write(folder, record, made, setting)
    if json:
        print_json(record)
        return
    from rich.console import Console

    from losslens.report.article import show

    show(made.model_copy(update={"sections": made.sections[:1]}), Console())
    typer.echo(f"{missing}Report: {folder / 'report.html'}")


def _record(reading: Reading) -> dict[str, Any]:
    course = reading.course
    return {
        "name": "lab",
        "setting": asdict(reading.setting),
        "figures": [asdict(figure) for figure in reading.figures],
        "steps": course.steps,
        "cosine": [course.cosine[0], course.cosine[-1]],
        "norm": [course.norm[0], course.norm[-1]],
    }


def _write(folder: Path, record: dict[str, Any], made: Any, setting: Setting) -> str:
    """Write everything; what to say where the picture could not be drawn."""
    import json

    from losslens.faces.lab.files import RESULTS, write_all
    from losslens.faces.lab.picture import picture
    from losslens.report.article import render

    files = {RESULTS: json.dumps(record, indent=1), "report.html": render(made)}
    try:
        files["picture.svg"] = picture(setting)
        missing = ""
    except BadInput as error:  # matplotlib is optional
        missing = f"No picture.svg: {error}\n"
    write_all(folder, files)
    return missing
