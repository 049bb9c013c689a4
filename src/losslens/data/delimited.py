"""Delimited text (.csv, .tsv, also gzipped): the header, the separator, and the table that pandas makes of it."""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from losslens.data.columns import Request, is_numbered, listed, numbered
from losslens.data.files import damaged, stem
from losslens.data.profiles import Profiles
from losslens.data.tables import read_table
from losslens.vocabulary.errors import BadInput

DAMAGED = (OSError, EOFError, ValueError, csv.Error, zlib.error)  # what parsers and gzip raise on a broken file
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class Header:
    """The first line of a text table: its cells, the separator, and whether it holds names or already data."""

    cells: tuple[str, ...]
    separator: str
    is_names: bool


def read_text_table(path: Path, request: Request) -> Profiles:
    """A .csv or .tsv file, possibly gzipped.

    Raises:
        BadInput: an empty or damaged file, text in a numeric column, a column that does not exist.
    """
    header = _read_header(path)
    table, remarks = _parse(path, header)
    return read_table(table, request, source=str(path), name=stem(path), remarks=remarks)


def _read_header(path: Path) -> Header:
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            line = next((line for line in file if line.strip()), "")
    except UnicodeDecodeError as error:
        raise damaged(path, "text in UTF-8", error) from error
    except DAMAGED as error:
        raise damaged(path, "a table", error) from error
    if not line:
        raise BadInput(expected="a table with a header line", found=f"an empty file: {path}")
    tabs = ".tsv" in [suffix.lower() for suffix in path.suffixes]
    separator = max(SEPARATORS, key=line.count) if not (tabs and "\t" in line) else "\t"
    cells = tuple(cell.strip() for cell in next(csv.reader([line], delimiter=separator)))
    return Header(cells, separator, is_names=not _is_data(cells))


def _is_data(cells: tuple[str, ...]) -> bool:
    """Whether a first line is a row of numbers; an ascending one (wavelengths, sample numbers) is taken for names."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    return not all(left < right for left, right in pairwise(numbers))


def _parse(path: Path, header: Header) -> tuple[Any, tuple[str, ...]]:
    import pandas as pd

    try:
        table = pd.read_csv(
            path,
            sep=header.separator,
            header=0 if header.is_names else None,
            encoding="utf-8-sig",
            low_memory=False,
        )
    except UnicodeDecodeError as error:
        raise damaged(path, "text in UTF-8", error) from error
    except DAMAGED as error:
        raise damaged(path, "a table", error) from error
    if not header.is_names:
        table.columns = list(numbered("column ", table.shape[1]))
        return table, ("The first line holds numbers only, so there are no column names: columns are numbered.",)
    return _with_index_as_column(table), _header_remarks(header, path)


def _with_index_as_column(table: Any) -> Any:
    """Where rows have one cell more than the header, as R writes them, the first holds the names of the rows."""
    return table if is_numbered(table) else table.reset_index(names="")


def _header_remarks(header: Header, path: Path) -> tuple[str, ...]:
    remarks = []
    usual = "\t" if ".tsv" in path.suffixes else ","
    if header.separator != usual:
        remarks.append(f"Cells are separated by {header.separator!r}.")
    named = [cell for cell in header.cells if cell]
    repeated = sorted({cell for cell in named if named.count(cell) > 1}) if len(set(named)) < len(named) else []
    if repeated:
        remarks.append(f"Column names that occur more than once were numbered: {listed(repeated)}.")
    return tuple(remarks)
