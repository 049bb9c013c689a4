"""Profiles: a matrix of samples by features, with its names and labels; the one form data have inside losslens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Matrix = Any  # np.ndarray (float32) or scipy.sparse.csr_matrix (float32): both are (samples, features)
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
_CHUNK = 4096  # rows


@dataclass(frozen=True, eq=False)
class Profiles:
    """Rows are samples, columns are features; values are float32, dense or CSR, finite, never changed in place.

    ``labels`` and ``groups`` are arrays of str or None. ``remarks`` says what a reader detected or dropped;
    ``declared`` is the kind of data, where the source knows it (else the gate decides); ``sample_shape`` are the
    channels, height and width of a sample, where the source has them: features are in that order.
    """

    values: Matrix
    features: tuple[str, ...]
    samples: tuple[str, ...]
    name: str
    source: str
    labels: npt.NDArray[np.str_] | None = None
    groups: npt.NDArray[np.str_] | None = None
    declared: str | None = None
    remarks: tuple[str, ...] = ()
    sample_shape: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples, number of features."""
        rows, columns = self.values.shape
        return int(rows), int(columns)

    @property
    def is_sparse(self) -> bool:
        """Whether values are CSR."""
        return bool(sp.issparse(self.values))

    @cached_property
    def content_hash(self) -> str:
        """Hash of values, labels and groups: equal data have equal hashes, dense or sparse, from any file."""
        digest = hashlib.sha256(repr(self.shape).encode())
        for first in range(0, self.shape[0], _CHUNK):
            rows = sp.csr_matrix(self.values[first : first + _CHUNK])
            for part in (rows.data, rows.indices.astype(np.int32), rows.indptr.astype(np.int64)):
                digest.update(part.tobytes())
        for names in (self.labels, self.groups):
            digest.update(b"-" if names is None else "\0".join(names).encode())
        return digest.hexdigest()[:16]

    def rows(self, index: Indices) -> Floats:
        """The given rows, dense."""
        picked = self.values[index]
        return np.asarray(picked.toarray() if self.is_sparse else picked, dtype=np.float32)

    def with_values(self, values: Matrix) -> Profiles:
        """The same samples and features with other values."""
        return replace(self, values=values)
