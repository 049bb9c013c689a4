"""Where a fitted network is asked and what its values become: a picture, a film, a sound, or numbers on a grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from losslens.data.signals import PICTURES
from losslens.faces.implicit.writers import write_arrays, write_film, write_picture, write_sound
from losslens.models.spec import Spec
from losslens.run.fields import evaluate, grid
from losslens.vocabulary.errors import BadInput

Floats = npt.NDArray[np.float32]
SUFFIXES = {"picture": ".png", "film": ".npz", "sound": ".wav", "numbers": ".npz"}


class Canvas(Spec):
    """The grid of a field and how its values are written.

    ``box`` is the part of [-1, 1] that the grid covers, and ``units`` where its ends lie in the units of the data.
    ``plane`` (constant, and slopes if any, of each output) is added: what derivatives leave open. Values are multiplied
    by ``level`` where they are written in the units of the data. ``rate`` is that of a sound, in hertz.
    """

    task: str
    kind: Literal["picture", "film", "sound", "numbers"]
    shape: tuple[int, ...]
    box: tuple[tuple[float, float], ...]
    units: tuple[tuple[float, float], ...]
    plane: tuple[tuple[float, ...], ...] = ()
    rate: int = 0
    level: float = 1.0


def square(task: str, kind: Literal["picture", "film", "sound", "numbers"], shape: tuple[int, ...]) -> Canvas:
    """The canvas of a grid over all of [-1, 1], whose units are the coordinates themselves."""
    box = ((-1.0, 1.0),) * len(shape)
    return Canvas(task=task, kind=kind, shape=shape, box=box, units=box)


def places(canvas: Canvas, shape: tuple[int, ...]) -> Tensor:
    """Coordinates of the grid at a resolution, (product of shape, axes)."""
    low, high = torch.tensor(canvas.box).unbind(-1)
    return low + (grid(shape) + 1.0) / 2.0 * (high - low)


def draw(canvas: Canvas, network: nn.Module, shape: tuple[int, ...] | None = None) -> Floats:
    r"""What the network says on the grid, at any resolution, (\*shape, outputs)."""
    shape = shape or canvas.shape
    return values_at(canvas, network, places(canvas, shape)).reshape(*shape, -1).numpy()


def values_at(canvas: Canvas, network: nn.Module, where: Tensor) -> Tensor:
    """What the network says at coordinates, and what derivatives leave open, (points, outputs)."""
    values = evaluate(network, where)
    if not canvas.plane:
        return values
    plane = torch.tensor(canvas.plane)
    return values + torch.cat([torch.ones(len(where), 1), where], dim=1)[:, : len(plane)] @ plane


def resolution(canvas: Canvas, text: str | None) -> tuple[int, ...]:
    """A resolution such as 512x384, or 512 for the longest axis and the others in proportion.

    >>> from losslens.faces.implicit.canvas import resolution, square
    >>> resolution(square("image", "picture", (30, 20)), "60")
    (60, 40)
    """
    if text is None:
        return canvas.shape
    parts = text.lower().split("x")
    if all(part.isdecimal() and int(part) > 0 for part in parts):
        if len(parts) == len(canvas.shape):
            return tuple(int(part) for part in parts)
        if len(parts) == 1:
            return tuple(max(1, round(int(text) * size / max(canvas.shape))) for size in canvas.shape)
    axes = "x".join(("HEIGHT", "WIDTH") if canvas.kind == "picture" else ["SIZE"] * len(canvas.shape))
    raise BadInput(expected=f"a resolution {axes}, or one number for the longest axis", found=repr(text))


def check_output(canvas: Canvas, path: Path) -> None:
    """Raise :class:`BadInput` if values of this kind cannot be written to such a file, before any work is done."""
    if not path.resolve().parent.is_dir():
        raise BadInput(expected="an existing folder for the output", found=str(path.parent))
    _writer(canvas, path)


def write(canvas: Canvas, values: Floats, path: Path) -> None:
    """Write values on the grid in the form that the suffix says; no suffix is a folder of frames."""
    _writer(canvas, path)(canvas, values, path)


Writer = Callable[[Canvas, Floats, Path], None]


def _writer(canvas: Canvas, path: Path) -> Writer:
    able = {".npz": _write_numbers}
    if canvas.kind == "sound":
        able[".wav"] = _write_sound
    elif canvas.kind == "film":
        able[""] = _write_film
    elif len(canvas.shape) == 2:
        able |= dict.fromkeys(PICTURES, _write_picture)
    if path.suffix.lower() not in able:
        names = ", ".join(suffix or "a folder" for suffix in able)
        raise BadInput(expected=f"an output of '{canvas.task}' as {names}", found=str(path))
    return able[path.suffix.lower()]


def _write_numbers(canvas: Canvas, values: Floats, path: Path) -> None:
    axes = {
        f"axis_{place}": np.linspace(*ends, size, dtype=np.float32)
        for place, (ends, size) in enumerate(zip(canvas.units, values.shape[:-1], strict=True))
    }
    write_arrays(path, values=values * np.float32(canvas.level), **axes)


def _write_picture(canvas: Canvas, values: Floats, path: Path) -> None:
    write_picture(path, shown(canvas, values))


def _write_film(canvas: Canvas, values: Floats, path: Path) -> None:
    write_film(path, values)


def _write_sound(canvas: Canvas, values: Floats, path: Path) -> None:
    write_sound(path, values * canvas.level, max(1, round(canvas.rate * len(values) / canvas.shape[0])))


def shown(canvas: Canvas, values: Floats, largest: float | None = None) -> Floats:
    """Values as a picture in [-1, 1], (height, width, 1 or 3): of numbers the first output, zero in the middle."""
    while values.ndim > 3:
        values = values[len(values) // 2]  # the middle frame, or slice
    if canvas.kind != "numbers":
        return values
    first = values[..., :1]
    scale = largest if largest is not None else float(np.abs(first).max())
    return first / (scale if scale > 0 and math.isfinite(scale) else 1.0)
