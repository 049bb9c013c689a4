"""Statistics of a matrix, dense or CSR, in float64 and by blocks of rows: nothing sparse is made dense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from losslens.data.profiles import Matrix

Doubles = npt.NDArray[np.float64]
BLOCK = 4_000_000  # values in float64 held at a time


@dataclass(frozen=True, eq=False)
class Moments:
    """Per feature: mean, variance (over n) and excess kurtosis (0 for constant features)."""

    mean: Doubles
    variance: Doubles
    excess_kurtosis: Doubles


def stored(values: Matrix) -> npt.NDArray[np.float32]:
    """The values that are held: all of a dense matrix, the non-zeros of a sparse one."""
    return np.ravel(values.data if sp.issparse(values) else values)


def blocks(values: Matrix) -> Iterator[Matrix]:
    """Consecutive rows, at most about ``BLOCK`` stored values at a time."""
    rows = values.shape[0]
    per_row = max(1, (values.nnz if sp.issparse(values) else values.size) // rows)
    step = max(1, BLOCK // per_row)
    return (values[start : start + step] for start in range(0, rows, step))


def row_sums(values: Matrix) -> Doubles:
    """Sum of every row, in float64."""
    return np.concatenate([np.asarray(block.sum(axis=1, dtype=np.float64)).ravel() for block in blocks(values)])


def moments(values: Matrix) -> Moments:
    """Mean, variance and excess kurtosis of every feature."""
    rows = values.shape[0]
    mean = _column_sums(values, lambda x, j: x) / rows
    second = _central(values, mean, np.square)
    fourth = _central(values, mean, lambda deviation: np.square(np.square(deviation)))
    variance = np.where(second <= 1e-14 * mean**2, 0.0, second)  # rounding of constant columns
    with np.errstate(invalid="ignore", divide="ignore"):
        kurtosis = np.where(variance > 0, fourth / variance**2 - 3, 0.0)
    return Moments(mean, variance, kurtosis)


def _central(values: Matrix, mean: Doubles, power: Callable[[Doubles], Doubles]) -> Doubles:
    """The mean of an (even) power of deviations; zeros that are not stored are added by their number."""
    rows, columns = values.shape
    total = _column_sums(values, lambda x, j: power(x - mean[j]))
    if sp.issparse(values):
        total += (rows - np.bincount(values.indices, minlength=columns)) * power(mean)
    return np.asarray(total / rows)


def _column_sums(values: Matrix, of: Any) -> Doubles:
    """Column sums of a function of stored values and their columns."""
    columns = values.shape[1]
    total = np.zeros(columns)
    for block in blocks(values):
        if sp.issparse(block):
            terms = of(block.data.astype(np.float64), block.indices)
            total += np.bincount(block.indices, weights=terms, minlength=columns)
        else:
            total += of(block.astype(np.float64), slice(None)).sum(axis=0)
    return total


def duplicate_rows(values: Matrix) -> int:
    """How many rows repeat an earlier one; rows of zeros do not count."""
    seen: set[bytes] = set()
    repeats = 0
    for key in _row_keys(values):
        repeats += key in seen
        seen.add(key)
    return repeats


def _row_keys(values: Matrix) -> Iterator[bytes]:
    """A hash of every row that is not zero throughout."""
    if not sp.issparse(values):
        for row in values:
            if row.any():
                yield blake2b(np.ascontiguousarray(row + np.float32(0)).data, digest_size=16).digest()
        return
    for start, end in zip(values.indptr[:-1], values.indptr[1:], strict=True):
        if end > start:
            digest = blake2b(values.indices[start:end].tobytes(), digest_size=16)
            digest.update(values.data[start:end].tobytes())
            yield digest.digest()
