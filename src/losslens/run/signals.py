"""Signals on a regular grid (pictures, sounds, films), fitted by their values or recovered from their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from losslens.losses.pointwise import mse
from losslens.measure.signals import missing, psnr, snr
from losslens.run.fields import Field, Known, Points, Response, Term, Yardstick, content_hash, grid, sampled

Floats = npt.NDArray[np.float32]
FULL_BATCH, SAMPLED = 2**17, 2**15  # a grid beyond the first is sampled, so many points at a step
JUDGED = 2**16  # points at most that the yardstick looks at while a network learns
FIRST_OMEGA = 3000.0  # for sounds


def signal(values: Floats, name: str, points: int | None = None) -> Field:
    r"""Fit the values of a signal, (\*grid, channels) in [-1, 1], by the mean squared error.

    A sound is judged by its signal-to-noise ratio, anything else by its peak signal-to-noise ratio. ``points`` is the
    number of random points at each step; by default all, up to 131,072 of them, else 32,768.

    >>> import numpy as np
    >>> from losslens.run.signals import signal
    >>> field = signal(np.zeros((4, 6, 1), np.float32), "image")
    >>> field.inputs, field.outputs, len(field.sample(torch.Generator()))
    (2, 1, 24)
    """
    term = Term("squared error", 1.0, lambda response, known: mse(response.output, known["wanted"], reduction="none"))
    if name == "audio":
        return _on_grid(name, values, values, points, term, 0, "SNR", lambda found, true, where: snr(found, true))
    return _on_grid(name, values, values, points, term, 0, "PSNR", lambda found, true, where: psnr(found, true))


def poisson(values: Floats, source: Literal["gradients", "laplacian"], points: int | None = None) -> Field:
    """Recover a picture, (height, width, channels) in [-1, 1], from nothing but its gradients or its Laplacian.

    Derivatives are differences of neighbouring pixels, per unit of the coordinates. What they leave open is not
    judged: a constant for gradients, a constant and a slope for the Laplacian.

    >>> import numpy as np
    >>> from losslens.run.signals import poisson
    >>> poisson(np.zeros((5, 7, 1), np.float32), "laplacian").order
    2
    """
    if source == "gradients":
        term, derivatives, order = Term("squared error of the gradients", 1.0, _gradient_error), differences(values), 1
    else:
        term = Term("squared error of the Laplacian", 1.0, _laplacian_error)
        derivatives, order = second_differences(values), 2

    def score(found: Tensor, true: Tensor, where: Tensor) -> float:
        free = freedom(where, order)
        return psnr(found + free @ missing(found, true, free), true)

    return _on_grid(f"poisson from {source}", values, derivatives, points, term, order, "PSNR", score)


def freedom(where: Tensor, order: int) -> Tensor:
    """What derivatives of an order leave open, as columns (points, columns): a constant, for the second also slopes."""
    ones = torch.ones(len(where), 1)
    return ones if order == 1 else torch.cat([ones, where], dim=1)


def differences(values: Floats) -> Floats:
    r"""Central differences per unit of each coordinate, (\*grid, channels, axes); one-sided at the ends."""
    axes = range(values.ndim - 1)
    found = [np.gradient(values, _spacing(values.shape[axis]), axis=axis) for axis in axes]
    return np.stack(found, axis=-1).astype(np.float32)


def second_differences(values: Floats) -> Floats:
    r"""The Laplacian by differences, per unit of the coordinates squared, (\*grid, channels); edge pixels repeat."""
    found = [
        ndimage.correlate1d(values, [1.0, -2.0, 1.0], axis=axis) / _spacing(values.shape[axis]) ** 2
        for axis in range(values.ndim - 1)
    ]
    total: Floats = np.sum(found, axis=0, dtype=np.float32)
    return total


def _gradient_error(response: Response, known: Known) -> Tensor:
    return mse(response.jacobian, known["wanted"], reduction="none").sum(-1)


def _laplacian_error(response: Response, known: Known) -> Tensor:
    return mse(response.laplacian, known["wanted"], reduction="none")


def _spacing(size: int) -> float:
    return 2.0 / (size - 1)


def _on_grid(
    name: str,
    values: Floats,
    wanted: Floats,
    points: int | None,
    term: Term,
    order: int,
    yardstick: str,
    score: Callable[[Tensor, Tensor, Tensor], float],
) -> Field:
    """The field of a signal that should have ``wanted`` at every point of its grid, and is judged by its values."""
    shape = values.shape[:-1]
    where, true = grid(shape), torch.from_numpy(values).reshape(-1, values.shape[-1])
    known = torch.from_numpy(wanted).reshape(len(where), *wanted.shape[len(shape) :])
    judged = torch.randperm(len(where), generator=torch.Generator().manual_seed(0))[:JUDGED]
    size = (len(where) if len(where) <= FULL_BATCH else SAMPLED) if points is None else points
    return Field(
        name=name,
        inputs=len(shape),
        outputs=values.shape[-1],
        order=order,
        sample=sampled(Points(where, {"wanted": known}), size),
        terms=(term,),
        yardstick=Yardstick(
            yardstick, "dB", True, lambda says: score(says(where[judged]), true[judged], where[judged])
        ),
        content=content_hash(name, values),
        first_omega=(min(FIRST_OMEGA, len(where)) / 10, FIRST_OMEGA * 10) if name == "audio" else (10.0, 100.0),
        spacing=min(_spacing(size) for size in shape if size > 1),
    )
