"""What the columns of a table are: names of samples, labels, groups or features; said by the user or found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import numpy.typing as npt

from losslens.vocabulary.errors import BadInput, unknown

Names = npt.NDArray[np.str_]

LABEL_NAMES = (
    "label",
    "labels",
    "cell_type",
    "celltype",
    "cell_types",
    "celltypes",
    "cell_ontology_class",
    "class",
    "classes",
    "target",
    "bulk_labels",
    "cell_label",
    "type",
    "annotation",
    "species",
    "diagnosis",
    "louvain",
    "leiden",
    "cluster",
    "clusters",
    "y",
)
CODED_NAMES = ("label", "labels", "class", "target", "y", "cell_type", "celltype", "cluster", "louvain", "leiden")
LABEL_WORDS = frozenset({"label", "labels", "celltype", "class", "cluster", "annotation", "type"})
ID_NAMES = frozenset({"id", "index", "name", "barcode", "barcodes"}) | {
    f"{what}{suffix}" for what in ("sample", "cell", "gene", "feature") for suffix in ("", "_id", "_name")
}


@dataclass(frozen=True)
class Request:
    """What the user asked of a reader; ``label`` and ``group`` are column names or one value per sample.

    An empty string as ``label`` means: no labels, and do not look for any. ``size`` is the side of pictures.
    """

    label: Any = None
    group: Any = None
    id_column: str | None = None
    transpose: bool = False
    layer: str | None = None
    name: str | None = None
    size: int | None = None


def normalised(name: Any) -> str:
    """A column name in lower case with single underscores.

    >>> normalised("Cell Type")
    'cell_type'
    """
    return re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")


def column_named(what: str, name: str, columns: Iterable[Any]) -> Any:
    """The column of that name.

    Raises:
        UnknownName: there is none; with the nearest name.
    """
    known = {str(column): column for column in columns}
    if name in known:
        return known[name]
    nearest = sorted(known, key=lambda other: -SequenceMatcher(None, name.lower(), other.lower()).ratio())
    raise unknown(f"{what} column", name, nearest[:10])


def is_text(column: Any) -> bool:
    """Whether a pandas column is neither numeric nor boolean by its type."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return not (is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype))


def is_numbered(table: Any) -> bool:
    """Whether the rows of a DataFrame have no names: its index just counts from 0."""
    import pandas as pd

    index = table.index
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def find_label(table: Any) -> Any | None:
    """The column of a DataFrame that obviously holds labels, or None.

    Obvious is a text column with a telling name, or a column of whole numbers named exactly like a label; either must
    have at least two values, and at most half as many as there are rows.
    """
    ranked = sorted(table.columns, key=lambda name: _rank(normalised(name)))
    return next((name for name in ranked if _looks_like_label(table, name)), None)


def _rank(name: str) -> int:
    return LABEL_NAMES.index(name) if name in LABEL_NAMES else len(LABEL_NAMES)


def _looks_like_label(table: Any, name: Any) -> bool:
    plain = normalised(name)
    if not _telling(plain, {normalised(other) for other in table.columns}, text=is_text(table[name])):
        return False
    present = table[name].dropna()
    few = 2 <= present.nunique() <= max(2, len(table) / 2)
    return bool(few and (is_text(present) or (present == present.round()).all()))


def _telling(name: str, others: set[str], *, text: bool) -> bool:
    if text:
        return name in LABEL_NAMES or "cell_type" in name or bool(LABEL_WORDS & set(name.split("_")))
    return name in CODED_NAMES and not (name == "y" and "x" in others)  # x and y are coordinates


def as_names(column: Any, *, what: str, missing: str) -> tuple[Names, list[str]]:
    """Labels or groups as strings, whole numbers without a decimal point, and what was said about missing ones.

    >>> as_names([1.0, 2.0, float("nan")], what="label", missing="unlabelled")
    (array(['1', '2', 'unlabelled'], dtype='<U10'), ["1 missing label(s) became 'unlabelled'."])
    """
    import pandas as pd

    cells = np.asarray(column, dtype=object)
    if cells.ndim != 1:
        raise BadInput(expected=f"one {what} per sample, in one dimension", found=f"an array of shape {cells.shape}")
    absent = np.asarray(pd.isna(cells), dtype=bool)
    names = np.array([missing if gone else _word(cell) for cell, gone in zip(cells, absent, strict=True)], dtype=str)
    number = int(absent.sum())
    return names, [f"{number} missing {what}(s) became {missing!r}."] * (number > 0)


def _word(cell: Any) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", errors="replace")
    return str(int(cell)) if isinstance(cell, (float, np.floating)) and float(cell).is_integer() else str(cell)


def as_labels(column: Any, origin: str) -> tuple[Names, list[str]]:
    """Labels as strings, with remarks.

    Raises:
        BadInput: every sample has a label of its own.
    """
    labels, remarks = as_names(column, what="label", missing="unlabelled")
    classes = len(np.unique(labels))
    if classes == len(labels) > 1:
        raise BadInput(
            expected="labels that several samples share",
            found=f"{classes} different values for {len(labels)} samples in {origin}",
            remedy="Name a column of classes, or none.",
        )
    return labels, [f"Labels: {origin} ({classes} classes).", *remarks]


def as_groups(column: Any, origin: str) -> tuple[Names, list[str]]:
    """Groups as strings, with remarks."""
    groups, remarks = as_names(column, what="group", missing="ungrouped")
    return groups, [f"Groups: {origin} ({len(np.unique(groups))} groups).", *remarks]


def given(values: Any, convert: Any, what: str) -> tuple[Names | None, list[str]]:
    """Labels or groups that the caller passed as an array; a name is refused, as an array has no columns."""
    if values is None or (isinstance(values, str) and values == ""):
        return None, []
    if isinstance(values, str):
        raise BadInput(
            expected=f"an array of {what}s, one per sample",
            found=f"the column name {values!r}",
            remedy="A bare matrix has no named columns; pass the values, or a table or AnnData that has the column.",
        )
    names, remarks = convert(values, "given by the caller")
    return names, remarks


def numbered(prefix: str, count: int) -> tuple[str, ...]:
    """Names for what has none.

    >>> numbered("feature ", 2)
    ('feature 1', 'feature 2')
    """
    return tuple(f"{prefix}{i + 1}" for i in range(count))


def listed(names: Sequence[Any], most: int = 5) -> str:
    """Names for a sentence, shortened.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(str(name)) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
