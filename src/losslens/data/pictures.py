"""A folder of pictures as profiles: one row a picture, its sub-folder as the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from losslens.data.arrays import read_array
from losslens.data.columns import Request
from losslens.data.profiles import Profiles
from losslens.data.signals import pixels, smaller
from losslens.vocabulary.errors import BadInput

SUFFIXES = (".png", ".jpg", ".jpeg")
PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}  # of published sets, no classes
WHOLE = 65_535  # the largest pixel of 16 bits

Pixels = npt.NDArray[Any]


def read_pictures(folder: Path, request: Request) -> Profiles:
    """Pictures (.png, .jpg, .jpeg) in the order of their paths: all in the folder, or all in sub-folders, the labels.

    Pixels are whole numbers up to 255, or shares of the largest where they have 16 bits, flattened channel by channel;
    transparency is left out. With ``request.size`` the middle square of each is resized to that side.

    Raises:
        BadInput: no picture, one that cannot be read, pictures in two places, of two sizes, or both grey and coloured.
    """
    _check_asked(request)
    paths = _pictures(folder)
    read = [_sized(pixels(path), request.size) for path in paths]
    _check_alike(paths, read, folder)
    values = np.stack(read)
    fine = values.dtype == np.uint16
    profiles = read_array(
        np.moveaxis(values / np.float32(WHOLE) if fine else values, -1, 1),
        replace(request, label=_labels(paths, folder) if request.label is None else request.label),
        source=str(folder),
        name=folder.resolve().name,
    )
    return replace(
        profiles,
        samples=tuple(path.relative_to(folder).as_posix() for path in paths),
        declared="[0, 1]" if fine else "pixels",
        remarks=(*profiles.remarks, *_said(request.size), *_said_parts(_places(paths, folder))),
    )


def _check_asked(request: Request) -> None:
    """Refuse what pictures do not have; an empty label means none."""
    if isinstance(request.label, str) and request.label:
        raise BadInput(
            expected="sub-folders as the labels of pictures",
            found=f"a label column {request.label!r}",
            remedy="Leave --label out, or give --label= for no labels.",
        )
    if request.transpose:
        raise BadInput(expected="pictures, each a sample", found="--transpose", remedy="Leave it out.")


def _said(size: int | None) -> list[str]:
    return [] if size is None else [f"The middle square of each picture was resized to {size} x {size}."]


def _pictures(folder: Path) -> list[Path]:
    """Every picture below the folder, hidden ones aside."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    found = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not found:
        raise BadInput(
            expected=f"a file, or a folder of pictures ({', '.join(SUFFIXES)})",
            found=f"a folder without a picture: {folder}",
            remedy="Name a file in it, or the folder that holds pictures or sub-folders of pictures.",
        )
    return found


def _sized(picture: Pixels, size: int | None) -> Pixels:
    """(height, width, channels); with a size the middle square of it, that many pixels each way."""
    channels = picture[..., None] if picture.ndim == 2 else picture
    if size is None:
        return channels
    height, width = channels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = channels[top : top + side, left : left + side].astype(np.float32)
    return np.asarray(np.rint(smaller(middle, size)), dtype=picture.dtype)


def _check_alike(paths: Sequence[Path], read: Sequence[Pixels], folder: Path) -> None:
    """Refuse two sizes, and grey beside colour, with a picture of each."""
    questions = (
        (_kind, "pictures that are all grey or all coloured, of one depth", "Convert them to one kind."),
        (_side, "pictures of one size", "Give --size SIDE, which crops each to its middle square and resizes it."),
    )
    for of, expected, remedy in questions:
        first = {of(picture): path.relative_to(folder).as_posix() for path, picture in zip(paths, read, strict=True)}
        if len(first) > 1:
            told = [f"{what} ({name})" for what, name in first.items()]
            more = f" and {len(told) - 2} more" * (len(told) > 2)
            raise BadInput(expected=expected, found=f"{told[0]}, {told[1]}{more}", remedy=remedy)


def _kind(picture: Pixels) -> str:
    return ("grey" if picture.shape[-1] == 1 else "coloured") + " of 16 bits" * (picture.dtype == np.uint16)


def _side(picture: Pixels) -> str:
    return f"{picture.shape[0]} x {picture.shape[1]}"


def _labels(paths: Sequence[Path], folder: Path) -> Pixels | None:
    """The sub-folder of each picture, or None if none is in one."""
    places = _places(paths, folder)
    inside = sum(len(parts) > 1 for parts in places)
    if 0 < inside < len(paths):
        raise BadInput(
            expected="pictures either all in the folder or all in sub-folders, which are their labels",
            found=f"{len(paths) - inside} in {folder} and {inside} in sub-folders",
            remedy="Move them to one place.",
        )
    return np.array([parts[int(_in_parts(places))] for parts in places]) if inside else None


def _places(paths: Sequence[Path], folder: Path) -> list[tuple[str, ...]]:
    return [path.relative_to(folder).parts for path in paths]


def _in_parts(places: Sequence[tuple[str, ...]]) -> bool:
    """Whether classes lie below the parts of a published set, as in train/cat/1.png."""
    return all(len(parts) > 2 and parts[0].lower() in PARTS for parts in places)


def _said_parts(places: Sequence[tuple[str, ...]]) -> list[str]:
    if not _in_parts(places):
        return []
    names = ", ".join(sorted({parts[0] for parts in places}))
    return [f"The folders {names} are parts of a set and no labels: all are one set here, split anew."]
