"""The problems that ``implicit`` knows: how each is read, what is minimised, and what its fit becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from losslens.data.signals import read_cloud, read_film, read_picture, read_sound
from losslens.faces.implicit.canvas import Canvas, places, square
from losslens.run import equations, signals, surfaces
from losslens.run.fields import Field
from losslens.vocabulary.errors import BadInput

Floats = npt.NDArray[np.float32]
GRID = 64  # points along an axis on which a field without pixels of its own is written


@dataclass(frozen=True)
class Usual:
    """Settings that suit a problem, for what was not said."""

    first_omega: float = 30.0
    omega: float = 30.0
    hidden: tuple[int, ...] = (256, 256, 256)
    steps: int = 500
    learning_rate: float = 1e-4


@dataclass(frozen=True)
class Problem:
    """A field, the canvas it is drawn on, what should be there if that is known, and settings that suit it."""

    field: Field
    canvas: Canvas
    truth: Floats | None
    usual: Usual = Usual()


def image(source: Any, *, size: int | None = None, points: int | None = None) -> Problem:
    """A picture, grey or RGB."""
    values = read_picture(source, size)
    return Problem(signals.signal(values, "image", points), square("image", "picture", values.shape[:-1]), values)


def audio(source: Any, *, points: int | None = None) -> Problem:
    """A sound; where samples are few, the first frequency stays below what they can hold."""
    sound = read_sound(source)
    length = len(sound.samples)
    canvas = square("audio", "sound", (length,)).model_copy(update={"rate": sound.rate, "level": sound.peak})
    field = signals.signal(sound.samples, "audio", points)
    return Problem(field, canvas, sound.samples, Usual(first_omega=min(signals.FIRST_OMEGA, length), steps=1000))


def video(source: Any, *, size: int | None = None, points: int | None = None) -> Problem:
    """A film: coordinates are time, height and width."""
    values = read_film(source, size)
    return Problem(
        signals.signal(values, "video", points), square("video", "film", values.shape[:-1]), values, Usual(steps=1000)
    )


def poisson(
    source: Any,
    *,
    known: Literal["gradients", "laplacian"] = "gradients",
    size: int | None = None,
    points: int | None = None,
) -> Problem:
    """A picture from its gradients or its Laplacian."""
    values = read_picture(source, size)
    if known not in ("gradients", "laplacian"):
        raise BadInput(expected="gradients or laplacian to start from", found=repr(known))
    if min(values.shape[:2]) < 3:
        raise BadInput(expected="3 or more pixels each way, for differences", found=f"{values.shape[:2]}")
    canvas = square("poisson", "picture", values.shape[:-1])
    return Problem(signals.poisson(values, known, points), canvas, values, Usual(steps=1000))


def sdf(source: Any, *, points: int | None = None) -> Problem:
    """The signed distance to a surface, from an oriented point cloud in two or three dimensions."""
    cloud = read_cloud(source)
    dimensions = cloud.points.shape[1]
    ends = [(float(centre) - cloud.scale, float(centre) + cloud.scale) for centre in cloud.centre]
    canvas = square("sdf", "numbers", (GRID,) * dimensions).model_copy(
        update={"units": tuple(ends), "level": cloud.scale}
    )
    field = surfaces.signed_distance(cloud.points, cloud.normals, points)
    return Problem(field, canvas, None, Usual(5.0, 5.0, (128, 128), 1000, 5e-4))


def helmholtz(*, wavenumber: float = 6.0, points: int | None = None) -> Problem:
    """Waves of one frequency in a square."""
    canvas = square("helmholtz", "numbers", (GRID, GRID))
    truth = equations.point_source(places(canvas, canvas.shape), wavenumber)
    usual = Usual(10.0, 10.0, (64, 64), 1000, 5e-4)
    return Problem(equations.helmholtz(wavenumber, points), canvas, _on(canvas, truth), usual)


def wave(*, speed: float = 1.0, points: int | None = None) -> Problem:
    """A string held at both ends."""
    box = ((0.0, 1.0), (-1.0, 1.0))
    canvas = square("wave", "numbers", (GRID, GRID)).model_copy(update={"box": box, "units": box})
    truth = equations.standing_wave(places(canvas, canvas.shape), speed)
    usual = Usual(10.0, 10.0, (64, 64), 1000, 5e-4)
    return Problem(equations.wave(speed, points), canvas, _on(canvas, truth), usual)


TASKS: dict[str, Callable[..., Problem]] = {
    task.__name__: task for task in (image, audio, video, poisson, sdf, helmholtz, wave)
}


def _on(canvas: Canvas, values: torch.Tensor) -> Floats:
    return values.reshape(*canvas.shape, -1).numpy()
