"""What every data set must be, whatever reader it came from: a finite float32 matrix that varies, with unique names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from losslens.data.profiles import Matrix, Profiles
from losslens.vocabulary.errors import BadInput

EXACT_INTEGERS = 2**24  # float32 holds every integer up to here


def validate(profiles: Profiles, *, to_train: bool = True) -> Profiles:
    """The same profiles as float32 (dense or canonical CSR) with unique names, or the reason why they cannot be used.

    ``to_train=False`` accepts what a trained model can be applied to: also one row, also rows that do not vary.

    Raises:
        BadInput: too few rows or columns, NaN or infinity (counted and located), values beyond float32, nothing but
            zeros or constants, names, labels or groups of the wrong length.
    """
    if to_train:
        _check_shape(profiles)
    _check_lengths(profiles)
    remarks = list(profiles.remarks)
    features = _unique(profiles.features, "feature", remarks)
    samples = _unique(profiles.samples, "sample", remarks)
    named = replace(profiles, features=features, samples=samples)
    _check_finite(named)
    values = as_float32(profiles.values)
    _check_range(replace(named, values=values))
    if to_train:
        _check_varies(values)
    remarks += _exactness(values)
    return replace(named, values=values, remarks=tuple(remarks))


def as_float32(values: Any) -> Matrix:
    """Dense float32, or CSR float32 with sorted indices and neither duplicates nor stored zeros; input unchanged."""
    if not sp.issparse(values):
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(values, dtype=np.float32)
    matrix = sp.csr_matrix(values, copy=not _is_canonical(values))
    matrix.sum_duplicates()
    with np.errstate(over="ignore"):
        matrix = matrix.astype(np.float32, copy=False)
    matrix.eliminate_zeros()
    return _small_indices(matrix)


def _is_canonical(values: Any) -> bool:
    """Whether nothing would be changed in place, so that no copy is needed."""
    return bool(values.format == "csr" and values.has_canonical_format and np.all(values.data != 0))


def _small_indices(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Indices as int32 where they fit, so that equal matrices have equal bytes."""
    if max(matrix.nnz, matrix.shape[1]) >= 2**31:
        return matrix
    parts = (matrix.data, matrix.indices.astype(np.int32, copy=False), matrix.indptr.astype(np.int32, copy=False))
    small = sp.csr_matrix(parts, shape=matrix.shape, copy=False)
    small.has_canonical_format = True
    return small


def _check_shape(profiles: Profiles) -> None:
    rows, columns = profiles.shape
    where = f"in {profiles.source}"
    hint = "Rows are samples and columns are features; transpose the data (--transpose) if it is the other way round."
    if columns == 0:
        found = f"no numeric column {where} ({rows} rows)"
        raise BadInput(expected="at least 2 features (columns)", found=found, remedy=hint)
    if rows < 2:
        found = f"{_count(rows, 'row')} {where}"
        raise BadInput(expected="at least 2 samples (rows)", found=found, remedy=hint)
    if columns < 2:
        found = f"a single column {where} ({profiles.features[0]!r})"
        raise BadInput(expected="at least 2 features (columns)", found=found, remedy=hint)


def _count(number: int, what: str) -> str:
    return {0: f"no {what}s", 1: f"a single {what}"}.get(number, f"{number} {what}s")


def _check_lengths(profiles: Profiles) -> None:
    rows, columns = profiles.shape
    for what, names, length in (
        ("label", profiles.labels, rows),
        ("group", profiles.groups, rows),
        ("sample name", profiles.samples, rows),
        ("feature name", profiles.features, columns),
    ):
        if names is not None and len(names) != length:
            axis = "column" if what == "feature name" else "row"
            raise BadInput(
                expected=f"one {what} per {axis}: {length}",
                found=str(len(names)),
                remedy=f"The {what}s must be in the order of the {axis}s, one each.",
            )


def _unique(names: Sequence[str], what: str, remarks: list[str]) -> tuple[str, ...]:
    """The names, repeats numbered (``a``, ``a-2``, ...); says so in ``remarks``."""
    counts = Counter(names)
    if len(counts) == len(names):
        return tuple(names)
    repeated = [name for name, number in counts.items() if number > 1]
    remarks.append(f"{len(repeated)} {what} name(s) occur more than once, {repeated[0]!r} first: repeats are numbered.")
    taken, seen = set(counts), Counter[str]()
    return tuple(_next_free(name, taken, seen) for name in names)


def _next_free(name: str, taken: set[str], seen: Counter[str]) -> str:
    seen[name] += 1
    if seen[name] == 1:
        return name
    while (candidate := f"{name}-{seen[name]}") in taken:
        seen[name] += 1
    taken.add(candidate)
    return candidate


def _check_finite(profiles: Profiles) -> None:
    stored = profiles.values.data if profiles.is_sparse else profiles.values
    if np.isfinite(stored).all():
        return
    missing, infinite = int(np.isnan(stored).sum()), int(np.isinf(stored).sum())
    parts = [f"{missing:,} missing (NaN)"] * (missing > 0) + [f"{infinite:,} infinite"] * (infinite > 0)
    raise BadInput(
        expected="finite numbers only",
        found=f"{' and '.join(parts)} of {np.prod(profiles.shape):,} values in {profiles.source}, the first in "
        f"{_first(profiles, ~np.isfinite(stored))}",
        remedy="Fill in or remove these values, rows or columns first: a loss cannot be computed on them.",
    )


def _check_range(profiles: Profiles) -> None:
    stored = profiles.values.data if profiles.is_sparse else profiles.values
    if np.isfinite(stored).all():
        return
    raise BadInput(
        expected=f"numbers of at most {np.finfo(np.float32).max:.2g} in size (float32)",
        found=f"a larger one in {_first(profiles, ~np.isfinite(stored))}",
        remedy="Divide the data by a constant, or take logarithms.",
    )


def _first(profiles: Profiles, bad: Any) -> str:
    """Where the first bad value is, in words."""
    if profiles.is_sparse:
        at = int(np.flatnonzero(bad)[0])
        matrix = sp.csr_matrix(profiles.values)
        row, column = int(np.searchsorted(matrix.indptr, at, side="right")) - 1, int(matrix.indices[at])
    else:
        row, column = (int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
    return f"row {row + 1} ({profiles.samples[row]!r}), column {profiles.features[column]!r}"


def _check_varies(values: Matrix) -> None:
    if (values.nnz if sp.issparse(values) else np.count_nonzero(values)) == 0:
        raise BadInput(
            expected="data that vary",
            found="nothing but zeros",
            remedy="Check that the right file, layer or columns were read.",
        )
    if not varying_columns(values).any():
        raise BadInput(
            expected="at least one column that varies between samples",
            found=f"{values.shape[1]} constant columns",
            remedy="All samples are identical, so there is nothing to learn; check that the right data were read.",
        )


def varying_columns(values: Matrix) -> Any:
    """Which columns (bool) hold at least two different values."""
    high, low = values.max(axis=0), values.min(axis=0)
    if sp.issparse(values):
        high, low = high.toarray().ravel(), low.toarray().ravel()
    return np.asarray(high > low)


def _exactness(values: Matrix) -> list[str]:
    stored = values.data if sp.issparse(values) else values
    largest = float(np.abs(stored).max())
    if largest <= EXACT_INTEGERS:
        return []
    return [f"Values reach {largest:.3g}: above {EXACT_INTEGERS:,} float32 rounds integers."]
