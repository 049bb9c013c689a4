"""Writing pictures, films, sounds and fields, each complete or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from losslens.faces.writers import written

Floats = npt.NDArray[np.float32]


def write_picture(path: Path, values: Floats) -> None:
    """Values (height, width, 1 or 3) in [-1, 1], clipped, as a picture in the format of the suffix."""
    with written(path) as fresh:
        _picture(values).save(fresh)


def encoded(values: Floats) -> bytes:
    """The same as the bytes of a .png file."""
    buffer = io.BytesIO()
    _picture(values).save(buffer, "PNG")
    return buffer.getvalue()


def _picture(values: Floats) -> Any:
    from PIL import Image

    pixels = np.rint((np.clip(values, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)
    return Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)


def write_film(path: Path, values: Floats) -> None:
    """Values (frames, height, width, channels) as a folder of numbered pictures."""
    with written(path) as fresh:
        fresh.mkdir()
        for place, frame in enumerate(values):
            write_picture(fresh / f"{place:05d}.png", frame)


def write_sound(path: Path, samples: Floats, rate: int) -> None:
    """Samples (samples, channels) in [-1, 1], clipped, as 16-bit .wav."""
    from scipy.io import wavfile

    with written(path) as fresh:
        wavfile.write(fresh, rate, np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16))


def write_arrays(path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Arrays by name as .npz."""
    with written(path) as fresh, fresh.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
