"""Pictures, sounds, films and oriented point clouds, read into arrays in [-1, 1]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from losslens.vocabulary.errors import BadInput

Floats = npt.NDArray[np.float32]
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Sound:
    """Samples (samples, channels) in [-1, 1] with the largest at 1, their rate in hertz, and the level taken off."""

    samples: Floats
    rate: int
    peak: float


@dataclass(frozen=True)
class Cloud:
    """Points (points, 2 or 3) in [-1, 1] with unit normals; ``centre + scale * points`` are the points as given."""

    points: Floats
    normals: Floats
    centre: Floats
    scale: float


def read_picture(source: Any, size: int | None = None) -> Floats:
    """A file or an array as (height, width, channels); ``size`` becomes the longer side.

    Arrays: whole numbers of 8 or 16 bits, or floats in [-1, 1]; grey, or with 1, 3 or 4 channels. Transparency is left
    out. Raises :class:`BadInput` for anything else.

    >>> import numpy as np
    >>> from losslens.data.signals import read_picture
    >>> read_picture(np.array([[0, 255]], np.uint8)).ravel().tolist()
    [-1.0, 1.0]
    """
    values = _in_range(pixels(source) if isinstance(source, str | Path) else np.asarray(source))
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[-1] not in (1, 3, 4) or values.shape[0] * values.shape[1] < 2:
        raise _shaped("a picture (height, width) or (height, width, 1, 3 or 4)", values)
    values = values[..., :3]
    return values if size is None else smaller(values, size)


def read_sound(source: Any, rate: int = 44_100) -> Sound:
    """A .wav file, or an array (samples,) or (samples, channels) at ``rate``."""
    if isinstance(source, str | Path):
        from scipy.io import wavfile

        with _reading(source):
            rate, source = wavfile.read(source)
    samples = np.asarray(source)
    samples = samples[:, None] if samples.ndim == 1 else samples
    if samples.ndim != 2 or len(samples) < 2:
        raise _shaped("a sound (samples,) or (samples, channels)", samples)
    # Whole numbers by their type, where unsigned ones lie about their middle; floats as they are.
    floats = _from_whole(samples) if samples.dtype.kind in "ui" else samples.astype(np.float32)
    peak = float(np.abs(floats).max())
    if not 0.0 < peak < np.inf:
        raise BadInput(expected="a sound that is finite and not silent", found=f"samples up to {peak:g}")
    return Sound(floats / np.float32(peak), rate, peak)


def read_film(source: Any, size: int | None = None) -> Floats:
    """A folder of pictures in the order of their names, .npz or an array, as (frames, height, width, channels)."""
    if isinstance(source, str | Path) and Path(source).is_dir():
        files = sorted(path for path in Path(source).iterdir() if path.suffix.lower() in PICTURES)
        frames: Any = [read_picture(path, size) for path in files]
    else:
        values = _only_array(source) if isinstance(source, str | Path) else np.asarray(source)
        if values.ndim not in (3, 4):
            raise _shaped("frames (frames, height, width) or (frames, height, width, channels)", values)
        frames = [read_picture(frame, size) for frame in values]
    if len(frames) < 2 or len({frame.shape for frame in frames}) > 1:
        found = f"{len(frames)} of {len({frame.shape for frame in frames})} sizes"
        raise BadInput(expected="two or more frames of one size", found=found)
    return np.stack(frames)


def read_cloud(source: Any) -> Cloud:
    """Points with normals, (points, 4 or 6): an array, .npz (one array, or points and normals), .xyz, ASCII .ply."""
    values = np.asarray(_rows(Path(source)) if isinstance(source, str | Path) else source, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] not in (4, 6) or len(values) < 8:
        raise _shaped("8 or more oriented points: x y z nx ny nz in a row, or x y nx ny", values)
    points, normals = np.split(values, 2, axis=1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    if not np.isfinite(values).all() or not length.all():
        raise BadInput(expected="finite points and normals that are not zero", found="others")
    low, high = points.min(axis=0), points.max(axis=0)
    centre, scale = (low + high) / 2, float((high - low).max()) / 2 / 0.8  # a tenth of the box is left at each side
    if scale == 0.0:
        raise BadInput(expected="points that differ", found="one place")
    placed, upright, centre = (
        part.astype(np.float32) for part in ((points - centre) / scale, normals / length, centre)
    )
    return Cloud(placed, upright, centre, scale)


def pixels(path: str | Path) -> npt.NDArray[Any]:
    """A picture's whole numbers of 8 or 16 bits, (height, width) or (height, width, 3), without transparency.

    Raises:
        BadInput: it cannot be read.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.new("RGB", (3, 2)).save(file.name)
    ...     pixels(file.name).shape
    (2, 3, 3)
    """
    from PIL import Image

    with _reading(path), Image.open(path) as picture:
        if picture.mode.startswith("I"):
            return np.asarray(picture).astype(np.uint16)
        grey = picture.mode in ("1", "L", "LA")
        return np.asarray(picture.convert("L" if grey else "RGB"))


def _in_range(values: npt.NDArray[Any]) -> Floats:
    if values.dtype in (np.uint8, np.uint16):
        return _from_whole(values)
    if values.dtype.kind != "f" or not (np.abs(values) <= 1.0).all():
        found = f"{values.dtype}" + (f" from {values.min():g} to {values.max():g}" if values.dtype.kind == "f" else "")
        raise BadInput(
            expected="pixels as whole numbers of 8 or 16 bits, or floats in [-1, 1]",
            found=found,
            remedy="Bring them into [-1, 1], with 2 * (x - low) / (high - low) - 1.",
        )
    return values.astype(np.float32)


def _from_whole(values: npt.NDArray[Any]) -> Floats:
    """Whole numbers as floats in [-1, 1], by what their type can hold."""
    limits = np.iinfo(values.dtype)
    centre, half = (limits.max / 2, limits.max / 2) if limits.min == 0 else (0.0, -float(limits.min))
    return ((values.astype(np.float64) - centre) / half).astype(np.float32)


def smaller(values: Floats, size: int) -> Floats:
    """A picture with the longer side of that many pixels, each an average over those that it stands for."""
    from PIL import Image

    if size < 2:
        raise BadInput(expected="a size of 2 or more pixels", found=str(size))
    height, width = values.shape[:2]
    by = size / max(height, width)
    shape = (max(1, round(width * by)), max(1, round(height * by)))
    channels = [
        Image.fromarray(values[..., c]).resize(shape, Image.Resampling.BILINEAR) for c in range(values.shape[-1])
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def _only_array(path: str | Path) -> npt.NDArray[Any]:
    with _reading(path), np.load(path, allow_pickle=False) as file:
        if not isinstance(file, np.lib.npyio.NpzFile) or len(file.files) != 1:
            raise BadInput(expected="an .npz file with one array of frames", found=f"{path}")
        return np.asarray(file[file.files[0]])


def _rows(path: Path) -> npt.NDArray[Any]:
    readers: dict[str, Callable[[Path], npt.NDArray[Any]]] = {".npz": _oriented, ".xyz": np.loadtxt, ".ply": _ply}
    if path.suffix.lower() not in readers:
        raise BadInput(expected="a point cloud as .npz, .xyz or .ply", found=str(path))
    with _reading(path):
        return readers[path.suffix.lower()](path)


def _oriented(path: Path) -> npt.NDArray[Any]:
    with np.load(path, allow_pickle=False) as file:
        if {"points", "normals"} <= set(file.files):
            return np.concatenate([file["points"], file["normals"]], axis=1)
        return np.asarray(file[file.files[0]])


def _ply(path: Path) -> npt.NDArray[Any]:
    """The vertices of an ASCII .ply file, its columns by the names of the header."""
    lines = path.read_text("ascii").splitlines()
    end = lines.index("end_header")
    if "format ascii 1.0" not in lines[:end]:
        raise ValueError("its format is not ascii 1.0")
    elements = [line.split()[1:] for line in lines[:end] if line.startswith("element ")]
    start = next(place for place, line in enumerate(lines) if line.startswith("element vertex"))
    names: list[str] = []
    for line in lines[start + 1 : end]:
        if not line.startswith("property "):
            break
        names.append(line.split()[-1])
    before = sum(int(count) for name, count in elements[: [name for name, _ in elements].index("vertex")])
    count = int(dict(elements)["vertex"])
    rows = np.loadtxt(lines[end + 1 + before : end + 1 + before + count], ndmin=2)
    return rows[:, [names.index(name) for name in ("x", "y", "z", "nx", "ny", "nz")]]


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    """What a library says of a file that it cannot read, as a message."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:  # each library has its own kinds
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BadInput(
            expected="a file that can be read",
            found=f"{path} ({reason})",
            remedy="Save it again, or take it out of the folder.",
        ) from error


def _shaped(expected: str, values: npt.NDArray[Any]) -> BadInput:
    return BadInput(expected=expected, found=f"an array of shape {values.shape}")
