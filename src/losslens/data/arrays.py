"""Bare matrices: NumPy and SciPy objects, .npy and .npz files; pickles are refused, never opened."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from zipfile import BadZipFile

import numpy as np
import scipy.sparse as sp

from losslens.data.columns import (
    Names,
    Request,
    as_groups,
    as_labels,
    column_named,
    given,
    listed,
    numbered,
)
from losslens.data.files import damaged, first_bytes, stem
from losslens.data.profiles import Matrix, Profiles
from losslens.vocabulary.errors import BadInput

Arrays = Mapping[str, np.ndarray[Any, Any]]
BROKEN = (OSError, EOFError, ValueError, KeyError, MemoryError, NotImplementedError, BadZipFile, zlib.error)
NPY, ZIP, PICKLE = b"\x93NUMPY", b"PK\x03\x04", b"\x80"
OWN_PARTS = ("X_data", "X_indices", "X_indptr", "X_shape")
MOST_CHANNELS = 4  # of an image whose channels come last
SCIPY_PARTS = ("data", "indices", "indptr", "shape")


def read_array(values: Any, request: Request, *, source: str = "an array", name: str = "array") -> Profiles:
    """A NumPy array or SciPy sparse matrix; labels and groups may be given as arrays.

    Samples may be images: (samples, height, width), (samples, channels, height, width) or, of at most 4 channels,
    (samples, height, width, channels). A series is (samples, 1, length), of several channels (samples, channels, 1,
    length).

    Raises:
        BadInput: not a numeric matrix, or labels named instead of given.
    """
    _refuse_columns(request, source)
    matrix, shape, remarks = _as_matrix(values, source)
    if request.transpose:
        matrix, shape, remarks = matrix.T, (), [*remarks, "The matrix was transposed."]
    labels, said_labels = given(request.label, as_labels, "label")
    groups, said_groups = given(request.group, as_groups, "group")
    return Profiles(
        values=matrix,
        features=numbered("feature ", matrix.shape[1]),
        samples=numbered("sample ", matrix.shape[0]),
        name=request.name or name,
        source=source,
        labels=labels,
        groups=groups,
        remarks=(*remarks, *said_labels, *said_groups),
        sample_shape=shape,
    )


def read_npy(path: Path, request: Request) -> Profiles:
    """A .npy file with one matrix."""
    _check_magic(path, NPY, "a .npy file")
    return read_array(_load(path), request, source=str(path), name=stem(path))


def read_npz(path: Path, request: Request) -> Profiles:
    """A .npz file: ``X``, ``images`` or CSR parts, perhaps with ``labels`` or ``y`` and ``classes``, and names.

    Names are ``features`` and ``samples``.

    Raises:
        BadInput: a damaged, truncated or pickled file, no matrix in it, a label array that it does not hold.
    """
    _check_magic(path, ZIP, "a .npz file")
    arrays = _load(path)
    used, matrix = _find_matrix(arrays, path)
    bare = Request(transpose=request.transpose, layer=request.layer, id_column=request.id_column, name=request.name)
    profiles = read_array(matrix, bare, source=str(path), name=stem(path))
    remarks = list(profiles.remarks)
    others = {key: array for key, array in arrays.items() if key not in used}
    rows = profiles.shape[0]
    labels, said_labels = _labels(others, request, rows=rows)
    groups, said_groups = _groups(others, request, rows=rows)
    across, down = ("samples", "features") if request.transpose else ("features", "samples")
    return replace(
        profiles,
        features=_names(others.get(across), profiles.features),
        samples=_names(others.get(down), profiles.samples),
        labels=labels,
        groups=groups,
        remarks=(*remarks, *said_labels, *said_groups),
    )


def _refuse_columns(request: Request, source: str) -> None:
    for what, asked in (("layer", request.layer), ("id column", request.id_column)):
        if asked is not None:
            raise BadInput(
                expected=f"no {what} with a bare matrix",
                found=f"{what} {asked!r} for {source}",
                remedy="A bare matrix has no named columns or layers; leave the option out.",
            )


def _as_matrix(values: Any, source: str) -> tuple[Matrix, tuple[int, ...], list[str]]:
    """The values with two dimensions, booleans as numbers, images flattened; and channels, height, width of these."""
    kind = np.dtype(values.dtype).kind
    if kind not in "iufb":
        raise BadInput(
            expected="real numbers",
            found=f"values of type {values.dtype} in {source}",
            remedy="Convert them to integers or floating-point numbers.",
        )
    if values.ndim < 2:
        raise BadInput(
            expected="a matrix with samples as rows and features as columns",
            found=f"{values.ndim} dimension(s), shape {tuple(values.shape)}, in {source}",
        )
    numeric = values.astype(np.uint8) if kind == "b" else values
    return (numeric, (), []) if numeric.ndim == 2 else _flattened(numeric)


def _flattened(values: Any) -> tuple[Matrix, tuple[int, ...], list[str]]:
    """Samples of several dimensions as rows, channels first."""
    own = values.shape[1:]
    said = f"Each sample of shape {' x '.join(map(str, own))} was flattened to {math.prod(own)} features"
    if len(own) == 3 and own[-1] <= MOST_CHANNELS < own[0]:
        values, said = np.moveaxis(values, -1, 1), f"{said}, channel by channel"
    shape = {2: (1, *own), 3: values.shape[1:]}.get(len(own), ())
    return values.reshape(len(values), math.prod(own)), tuple(map(int, shape)), [f"{said}."]


def _check_magic(path: Path, magic: bytes, what: str) -> None:
    """Tell a pickle and other things from a NumPy file by their first bytes."""
    start = first_bytes(path)
    if start.startswith(PICKLE):
        raise _pickled(path)
    if not start.startswith(magic):
        raise damaged(path, what, ValueError("its first bytes are not those of such a file"))


def _load(path: Path) -> Any:
    """All arrays of the file in memory; object arrays, which are pickles, are refused."""
    try:
        with path.open("rb") as file:  # opened here, as np.load leaves a damaged one open
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
    except BROKEN as error:
        if "pickle" in str(error):
            raise _pickled(path) from None
        raise damaged(path, f"a {path.suffix} file", error) from error


def _pickled(path: Path) -> BadInput:
    return BadInput(
        expected="plain arrays",
        found=f"a pickled file, or pickled objects in it: {path}",
        remedy="Refused, as opening a pickle can run any code. Save numbers as numbers and names as text: "
        "np.savez(path, X=X, features=np.asarray(names, dtype=str)).",
    )


def _find_matrix(arrays: Arrays, path: Path) -> tuple[set[str], Matrix]:
    """The keys that make up the matrix, and the matrix."""
    for name in ("X", "images"):
        if name in arrays:
            return {name}, arrays[name]
    for parts in (OWN_PARTS, SCIPY_PARTS):
        if set(parts) <= set(arrays):
            return {*parts, "format"}, _compressed(arrays, parts, path)
    matrices = [key for key, array in arrays.items() if array.ndim >= 2 and array.dtype.kind in "iufb"]
    if len(matrices) == 1:
        return set(matrices), arrays[matrices[0]]
    if len(arrays) == 1:
        return set(arrays), next(iter(arrays.values()))
    raise BadInput(
        expected=f"one matrix: an array 'X', the parts {', '.join(OWN_PARTS)} of a CSR matrix, or a single matrix",
        found=f"the arrays {listed(list(arrays))} in {path}" if arrays else f"no array in {path}",
        remedy="Save the matrix under the name X.",
    )


def _compressed(arrays: Arrays, parts: tuple[str, ...], path: Path) -> sp.csr_matrix:
    """A CSR (or CSC) matrix from its parts, each checked against the others."""
    data, indices, indptr, shape = (arrays[part] for part in parts)
    by_columns = "format" in arrays and _text(arrays["format"].item()) == "csc"
    try:
        size = tuple(int(number) for number in np.asarray(shape).ravel())
        if len(size) != 2 or min(size) < 0:
            raise ValueError(f"its shape is {size}")
        build = sp.csc_matrix if by_columns else sp.csr_matrix
        matrix = build((data, indices.astype(np.int64), indptr.astype(np.int64)), shape=size)
        matrix.check_format(full_check=True)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise damaged(path, "a sparse matrix with consistent parts", error) from error
    return matrix.tocsr()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _names(array: Any, fallback: tuple[str, ...]) -> tuple[str, ...]:
    return fallback if array is None else tuple(_text(name) for name in np.ravel(array))


def _labels(arrays: Arrays, request: Request, *, rows: int) -> tuple[Names | None, list[str]]:
    """As requested (a key or an array); else ``labels``, ``label`` or ``y``, with the names of ``classes``."""
    asked = request.label
    if asked is not None and not isinstance(asked, str):
        return given(asked, as_labels, "label")
    if asked == "":
        return None, []
    key = _key_named("label", asked, arrays, rows) if asked else _first_key(arrays)
    if request.transpose and not asked and key is not None and arrays[key].size != rows:
        return None, [f"Array {key!r} is not used: it labels what are the features now."]
    if key is None:
        return None, []
    values = np.ravel(arrays[key])
    named = key == "y" and "classes" in arrays
    return as_labels(_decode(values, np.ravel(arrays["classes"])) if named else values, f"array {key!r}")


def _first_key(arrays: Arrays) -> str | None:
    return next((key for key in ("labels", "label", "y") if key in arrays), None)


def _decode(codes: Any, classes: Any) -> Any:
    """Class names for class numbers; a negative number means: no label."""
    if codes.dtype.kind not in "iu" or codes.size == 0 or codes.max() >= len(classes):
        raise BadInput(
            expected=f"class numbers below {len(classes)} in 'y', as there are {len(classes)} 'classes'",
            found=f"{codes.max()} ({codes.dtype})" if codes.size else "none",
        )
    named = np.asarray([_text(name) for name in classes], dtype=object)
    return np.where(codes < 0, None, named[codes])


def _key_named(what: str, name: str, arrays: Arrays, rows: int) -> str:
    """The key of that name among arrays with one value per sample."""
    fitting = [key for key, array in arrays.items() if key == name or array.size == rows]
    return cast(str, column_named(what, name, fitting))


def _groups(arrays: Arrays, request: Request, *, rows: int) -> tuple[Names | None, list[str]]:
    if isinstance(request.group, str) and request.group:
        key = _key_named("group", request.group, arrays, rows)
        return as_groups(np.ravel(arrays[key]), f"array {key!r}")
    return given(request.group, as_groups, "group")
