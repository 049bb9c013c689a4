"""What ``implicit`` leaves in its folder beside the model: the reconstruction, results.json and report.html."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import numpy.typing as npt

from losslens.data.signals import smaller
from losslens.faces.folder import write as write_text
from losslens.faces.implicit.canvas import SUFFIXES, shown, write
from losslens.faces.implicit.tasks import Problem
from losslens.faces.implicit.writers import encoded
from losslens.report.fit import DRAWN, TITLES, Fitted, render

Floats = npt.NDArray[np.float32]
SIDE = 320  # pixels of a picture in the page


def write_results(folder: Path, found: Fitted, problem: Problem, drawings: dict[str, Floats]) -> None:
    """Write everything; ``drawings`` are the values on the grid of each network, the one asked for first."""
    canvas, first = problem.canvas, next(iter(drawings.values()))
    write(canvas, first, folder / f"reconstruction{SUFFIXES[canvas.kind]}")
    if canvas.kind == "numbers" and len(canvas.shape) == 2:
        write(canvas, first, folder / "reconstruction.png")
    named = {TITLES[kind]: values for kind, values in drawings.items()}
    if problem.truth is not None:
        named = {"as it should be": problem.truth, **named}
    write_text(folder / "results.json", found.model_dump_json(indent=1))
    write_text(folder / "report.html", render(found, *_side_by_side(problem, named)))


def _side_by_side(problem: Problem, named: dict[str, Floats]) -> tuple[list[tuple[str, str]], dict[str, list[float]]]:
    """Pictures as data URIs, or the first channel of sounds, by caption."""
    finite = {caption: np.nan_to_num(values) for caption, values in named.items()}
    if problem.canvas.kind == "sound":
        return [], {name: v[:: -(-len(v) // DRAWN), 0].round(4).tolist() for name, v in finite.items()}
    largest = float(np.abs(next(iter(finite.values()))[..., 0]).max())  # one scale for all
    return [(name, _uri(shown(problem.canvas, v, largest))) for name, v in finite.items()], {}


def _uri(values: Floats) -> str:
    picture = smaller(values, SIDE) if max(values.shape[:2]) > SIDE else values
    return "data:image/png;base64," + base64.b64encode(encoded(picture)).decode()
