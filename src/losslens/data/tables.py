"""Tables (DataFrame, .parquet): one row per sample, with columns for names, labels, groups and features."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from losslens.data.columns import (
    ID_NAMES,
    Names,
    Request,
    as_groups,
    as_labels,
    column_named,
    find_label,
    is_numbered,
    is_text,
    listed,
    normalised,
    numbered,
)
from losslens.data.files import damaged, stem
from losslens.data.profiles import Matrix, Profiles
from losslens.vocabulary.errors import BadInput

DAMAGED = (OSError, EOFError, ValueError)  # what a broken file makes parsers raise


def read_parquet(path: Path, request: Request) -> Profiles:
    """A .parquet file; needs the optional pyarrow."""
    import pandas as pd

    try:
        table = pd.read_parquet(path)
    except ImportError:
        raise BadInput(
            expected="pyarrow, which reads .parquet files",
            found="it is not installed",
            remedy="Install it with: pip install 'losslens[parquet]'",
        ) from None
    except DAMAGED as error:
        raise damaged(path, "a parquet file", error) from error
    return read_table(table, request, source=str(path), name=stem(path))


def read_table(
    table: Any, request: Request, *, source: str = "a DataFrame", name: str = "table", remarks: tuple[str, ...] = ()
) -> Profiles:
    """A DataFrame; its columns become sample names, labels, groups and features, and ``remarks`` says which."""
    said = list(remarks)
    _refuse_layers(request, source)
    table, samples = _take_names(_distinct(table, said), request, said)
    groups, table = _take_groups(table, request, said)
    labels, table = _take_labels(table, request, said)
    features = _drop_annotations(table, samples, said)
    return Profiles(
        values=_matrix(features, samples, said),
        features=tuple(str(column) for column in features.columns),
        samples=samples,
        name=request.name or name,
        source=source,
        labels=labels,
        groups=groups,
        remarks=tuple(said),
    )


def _refuse_layers(request: Request, source: str) -> None:
    if request.layer is not None:
        raise BadInput(
            expected="a layer only with .h5ad files and AnnData",
            found=f"layer {request.layer!r} for {source}",
            remedy="Leave the layer out.",
        )


def _distinct(table: Any, remarks: list[str]) -> Any:
    """The table with column names that are all different (strings)."""
    names = [str(column) for column in table.columns]
    if len(set(names)) == len(names):
        return table.set_axis(names, axis=1)
    repeated = sorted({name for name in names if names.count(name) > 1})
    remarks.append(f"Column names that occur more than once were numbered: {listed(repeated)}.")
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        names[i] = name if seen[name] == 1 else f"{name}.{seen[name] - 1}"
    return table.set_axis(names, axis=1)


def _take_names(table: Any, request: Request, remarks: list[str]) -> tuple[Any, tuple[str, ...]]:
    """The table without its column of sample names, and these names; the right way round."""
    column = _id_column(table, request)
    if column is not None:
        shown = "without a name" if _is_unnamed(column) else repr(column)
        what = "feature names" if request.transpose else "sample names"
        remarks.append(f"Column {shown} holds the {what}.")
        table = table.set_index(column)
    if request.transpose:
        remarks.append("The table was transposed.")
        table = _distinct(_turned(table), remarks)
    unnamed = column is None and not request.transpose and is_numbered(table)
    return table, numbered("sample ", len(table)) if unnamed else tuple(str(name) for name in table.index)


def _turned(table: Any) -> Any:
    """Rows for columns; each new column gets the type of its cells again, as rows of a table mix them."""
    turned = table.T
    turned.columns = [str(name) for name in turned.columns]
    return turned if not any(is_text(table[name]) for name in table.columns) else turned.apply(_retyped)


def _retyped(column: Any) -> Any:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    return column if (numbers.isna() & column.notna()).any() else numbers


def _is_unnamed(column: Any) -> bool:
    return str(column) == "" or str(column).startswith("Unnamed: ")


def _id_column(table: Any, request: Request) -> str | None:
    """The column of sample names: as requested, or the first one if that is obvious."""
    if request.id_column is not None:
        return cast(str, column_named("id", request.id_column, table.columns))
    if not table.shape[1] or not is_numbered(table):
        return None
    first = table.columns[0]
    if first in (request.label, request.group) or table[first].isna().any() or not table[first].is_unique:
        return None
    obvious = _is_unnamed(first) or _named_like_id(table[first]) or _all_text(table[first])
    return str(first) if obvious else None


def _named_like_id(column: Any) -> bool:
    """Whether a column is named like an id and holds text or whole numbers."""
    from pandas.api.types import is_integer_dtype

    return normalised(column.name) in ID_NAMES and (is_text(column) or bool(is_integer_dtype(column.dtype)))


def _all_text(column: Any) -> bool:
    """Whether no cell of a text column is a number; one that mixes both may be a feature with a slip in it."""
    import pandas as pd

    return is_text(column) and not pd.to_numeric(column.astype(object), errors="coerce").notna().any()


def _take_labels(table: Any, request: Request, remarks: list[str]) -> tuple[Names | None, Any]:
    if request.label is not None and not isinstance(request.label, str):
        labels, said = as_labels(request.label, "given by the caller")
        return _said(labels, said, remarks), table
    if request.label == "":
        return None, table
    found = column_named("label", request.label, table.columns) if request.label else find_label(table)
    if found is None:
        return None, table
    how = "" if request.label else ", found by its name"
    labels, said = as_labels(table[found], f"column {found!r}{how}")
    return _said(labels, said, remarks), table.drop(columns=[found])


def _take_groups(table: Any, request: Request, remarks: list[str]) -> tuple[Names | None, Any]:
    if request.group is None:
        return None, table
    if not isinstance(request.group, str):
        groups, said = as_groups(request.group, "given by the caller")
        return _said(groups, said, remarks), table
    found = column_named("group", request.group, table.columns)
    groups, said = as_groups(table[found], f"column {found!r}")
    both = isinstance(request.label, str) and found == request.label
    return _said(groups, said, remarks), table if both else table.drop(columns=[found])


def _said(names: Names, said: list[str], remarks: list[str]) -> Names:
    remarks.extend(said)
    return names


def _drop_annotations(table: Any, samples: tuple[str, ...], remarks: list[str]) -> Any:
    """The table without columns that hold nothing but text.

    Raises:
        BadInput: text in a column that also holds numbers.
    """
    text = [name for name in table.columns if is_text(table[name])]
    annotations = [name for name in text if not _holds_numbers(table[name], samples)]
    if annotations:
        remarks.append(
            f"Text columns that are not used: {listed(annotations)}. Name one as label or group, if that is what it is."
        )
    return table.drop(columns=annotations)


def _holds_numbers(column: Any, samples: tuple[str, ...]) -> bool:
    """Whether an untyped column is numeric throughout; False if it is text throughout."""
    import pandas as pd

    if column.dtype != object and not pd.api.types.is_string_dtype(column.dtype):
        return False  # categories, dates
    numeric = np.asarray(pd.to_numeric(column, errors="coerce").notna())
    text = np.asarray(column.notna()) & ~numeric
    if text.any() and numeric.any():
        row = int(np.argmax(text))
        raise BadInput(
            expected=f"numbers in column {str(column.name)!r}",
            found=f"the text {str(column.iloc[row])!r} in row {row + 1} ({samples[row]!r}); "
            f"text in a numeric column, {int(text.sum())} of {len(text)} cells",
            remedy="Correct the cell, or leave it empty and fill it in; or name the column as label, group or id.",
        )
    return not text.any()


def _matrix(table: Any, samples: tuple[str, ...], remarks: list[str]) -> Matrix:
    """The values; sparse if every column is sparse."""
    import pandas as pd

    if table.shape[1] and all(isinstance(dtype, pd.SparseDtype) for dtype in table.dtypes):
        return table.sparse.to_coo().tocsr()
    truths = [name for name in table.columns if pd.api.types.is_bool_dtype(table[name].dtype)]
    if truths:
        remarks.append(f"Columns of true and false became 1 and 0: {listed(truths)}.")
    return table.to_numpy(dtype=np.float64, na_value=np.nan)
