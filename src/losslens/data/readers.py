"""Reading: any source (a bundled name, a path, a Python object) to checked profiles."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse as sp

from losslens.data.annotated import read_anndata, read_h5ad
from losslens.data.arrays import read_array, read_npy, read_npz
from losslens.data.bundled import BUNDLED
from losslens.data.checks import validate
from losslens.data.columns import Request
from losslens.data.delimited import read_text_table
from losslens.data.pictures import SUFFIXES as PICTURES
from losslens.data.pictures import read_pictures
from losslens.data.profiles import Profiles
from losslens.data.tables import read_parquet, read_table
from losslens.vocabulary.errors import BadInput

Reader = Callable[[Path, Request], Profiles]
SUFFIXES: MappingProxyType[str, Reader] = MappingProxyType(
    {
        ".h5ad": read_h5ad,
        ".csv": read_text_table,
        ".csv.gz": read_text_table,
        ".tsv": read_text_table,
        ".tsv.gz": read_text_table,
        ".parquet": read_parquet,
        ".npz": read_npz,
        ".npy": read_npy,
    }
)


def read(
    source: Any,
    *,
    label: Any = None,
    group: Any = None,
    id_column: str | None = None,
    transpose: bool = False,
    layer: str | None = None,
    name: str | None = None,
    size: int | None = None,
    to_train: bool = True,
) -> Profiles:
    """Read samples by features from a bundled name, a path or a Python object, and check them.

    Args:
        source: "pancreas", "digits"; a path (.h5ad, .csv, .tsv, both also .gz, .parquet, .npz, .npy); a folder of
            pictures (.png, .jpg, .jpeg), sub-folders being labels; an array (also of images, see
            :func:`losslens.data.arrays.read_array`), a SciPy sparse matrix, a DataFrame or an AnnData.
        label: the column of class labels (found where obvious, if not given), or one label per sample; "" for none.
        group: the column of groups that must not be torn apart by a split, or one group per sample.
        id_column: the column of sample names (found where obvious).
        transpose: whether rows are features.
        layer: the layer of an AnnData to read instead of X, or "raw".
        name: what to call the data set.
        size: the side to which the middle square of each picture of a folder is resized.
        to_train: whether too few or unvarying samples are refused; not so for applying a trained model.

    Raises:
        BadInput: the source does not exist, cannot be read, or holds what no loss can be computed on.

    >>> read([[1.0, 2.0], [3.0, 5.0]]).shape
    (2, 2)
    """
    request = Request(label, group, id_column, transpose, layer, name, size)
    folder = _folder(source)
    if folder is not None:
        return validate(_guarded(read_pictures, folder, request), to_train=to_train)
    if size is not None:
        raise BadInput(expected="a folder of pictures, for --size", found=f"{_named(source)}, which is none")
    if isinstance(source, (str, Path)):
        return validate(_read_named(source, request), to_train=to_train)
    return validate(_read_object(source, request), to_train=to_train)


def _folder(source: Any) -> Path | None:
    """The folder that a source names, unless it names a bundled set."""
    if not isinstance(source, (str, Path)) or (isinstance(source, str) and source in BUNDLED):
        return None
    path = Path(source).expanduser()
    return path if path.is_dir() else None


def _named(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else f"a {type(source).__name__}"


def _read_named(source: str | Path, request: Request) -> Profiles:
    if isinstance(source, str) and source in BUNDLED:
        return BUNDLED[source].load(request)
    path = Path(source).expanduser()
    if not path.exists():
        raise _missing(str(source), path)
    reader = _reader_for(path)
    if path.stat().st_size == 0:
        raise BadInput(expected="a file with data", found=f"an empty file: {path}")
    return _guarded(reader, path, request)


def _guarded(reader: Reader, path: Path, request: Request) -> Profiles:
    try:
        return reader(path, request)
    except PermissionError:
        raise BadInput(
            expected="a file that may be read", found=f"no permission for {path}", remedy="Change its permissions."
        ) from None


def _reader_for(path: Path) -> Reader:
    lower = path.name.lower()
    for suffix, reader in SUFFIXES.items():
        if lower.endswith(suffix):
            return reader
    if lower.endswith(PICTURES):
        raise BadInput(
            expected="a folder of pictures, each a sample",
            found=f"one picture: {path}",
            remedy=f"Give its folder: {path.parent}.",
        )
    raise BadInput(
        expected=f"a file ending in {', '.join(SUFFIXES)}",
        found=f"{path.name!r}",
        remedy="Save the data in one of these forms; .csv with one row per sample is the simplest.",
    )


def _missing(source: str, path: Path) -> BadInput:
    """The error for a path that does not exist, with the nearest name that does."""
    beside = path.parent.is_dir()
    there = sorted(file.name for file in path.parent.iterdir() if file.is_file()) if beside else []
    bundled = [] if path.suffix else list(BUNDLED)
    close = get_close_matches(path.name, [*bundled, *there], n=1, cutoff=0.6)
    found = f"{source!r}, which does not exist" if beside else f"{source!r}, whose folder does not exist"
    return BadInput(
        expected=f"an existing file or a bundled data set ({', '.join(BUNDLED)})",
        found=found,
        remedy=f"Did you mean {_as_typed(close[0], path)!r}?" if close else "Check the spelling and the folder.",
    )


def _as_typed(name: str, path: Path) -> str:
    return name if name in BUNDLED else str(path.with_name(name))


def _read_object(source: Any, request: Request) -> Profiles:
    if sp.issparse(source) or isinstance(source, np.ndarray):
        return read_array(source, request)
    kind = {base.__name__ for base in type(source).__mro__}  # by name, as asking pandas or anndata would import them
    if "DataFrame" in kind and hasattr(source, "to_numpy"):
        return read_table(source, request)
    if "AnnData" in kind and hasattr(source, "obs"):
        return read_anndata(source, request)
    return read_array(_as_array(source), request)


def _as_array(source: Any) -> Any:
    """Nested lists and whatever else turns itself into a numeric array."""
    try:
        return np.asarray(source)
    except (ValueError, TypeError, RuntimeError) as error:
        raise BadInput(
            expected="a path, a bundled name, an array, a sparse matrix, a DataFrame or an AnnData",
            found=f"a {type(source).__name__} that is not a matrix ({error})",
        ) from error
