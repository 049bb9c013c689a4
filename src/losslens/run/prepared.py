"""Data as trials see them: written once, memory-mapped by every process, transformed once per split."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from losslens.data.profiles import Profiles
from losslens.data.splits import Split, split
from losslens.data.transforms import Transform, fit_transform_named, library
from losslens.models.objective import Batch
from losslens.run.spec import SplitSpec, TransformSpec

DENSE_LIMIT = 2 * 1024**3  # bytes; beyond it a sparse matrix is made dense batch by batch


class Rows:
    """Rows of a matrix as float32 tensors; a sparse matrix is made dense only for the rows asked for."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix if sp.issparse(matrix) else torch.from_numpy(matrix)

    def __call__(self, index: Tensor) -> Tensor:
        """The rows of these numbers, (rows, features)."""
        if isinstance(self.matrix, Tensor):
            return self.matrix.index_select(0, index)
        return torch.from_numpy(self.matrix[index.numpy()].toarray())


@dataclass(frozen=True)
class Prepared:
    """One split of the data, transformed by what its training part says."""

    profiles: Rows
    counts: Rows | None
    library: Tensor | None
    scale: Tensor | None
    transform: Transform
    split: Split
    labels: Any

    @property
    def features(self) -> int:
        """Number of features."""
        return int(self.profiles.matrix.shape[1])

    def batches(
        self, with_counts: bool, device: str = "cpu", classes: tuple[str, ...] = ()
    ) -> Callable[[Tensor], Batch]:
        """A function from row numbers to a batch on the device; labels are numbered by their place in ``classes``."""
        numbers = self._numbered(classes)

        def rows(index: Tensor) -> Batch:
            batch = Batch(self.profiles(index), labels=None if numbers is None else numbers[index])
            if with_counts and self.counts is not None and self.library is not None and self.scale is not None:
                batch = batch._replace(counts=self.counts(index), library=self.library[index], scale=self.scale[index])
            return batch if device == "cpu" else batch.to(device)

        return rows

    def _numbered(self, classes: tuple[str, ...]) -> Tensor | None:
        if not classes or self.labels is None:
            return None
        place = {name: number for number, name in enumerate(classes)}
        return torch.tensor([place[str(label)] for label in self.labels])


class DataFolder:
    """Profiles written as plain arrays, so that any number of processes map one copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def write(cls, profiles: Profiles, folder: Path) -> DataFolder:
        """Write values, labels and groups; does nothing if they are there already."""
        target = folder / profiles.content_hash
        if not target.exists():
            with _appearing(target) as fresh:
                _save(fresh, "values", _dense_if_small(profiles.values))
                for name in ("labels", "groups"):
                    if getattr(profiles, name) is not None:
                        np.save(fresh / f"{name}.npy", getattr(profiles, name))
        return cls(target)

    def prepare(self, spec: SplitSpec, transform: TransformSpec) -> Prepared:
        """Split, fit the transform on the training part, transform everything: once per split and machine."""
        values, labels, groups = _load(self.folder, "values"), self._names("labels"), self._names("groups")
        parts = split(
            values.shape[0], labels, groups, repeat=spec.repeat, seed=spec.seed, test=spec.test, valid=spec.valid
        )
        fitted = fit_transform_named(transform.name, values[parts.train], cap=transform.cap)
        target = self.folder / f"{transform.name}-{spec.seed}-{spec.repeat}-{spec.test:g}-{spec.valid:g}"
        if not target.exists():
            with _appearing(target) as fresh:
                _save(fresh, "inputs", fitted.apply(values))
        size = scale = None
        if transform.name == "library_log":
            size = torch.from_numpy(np.asarray(library(values), dtype=np.float32)).reshape(-1, 1)
            scale = float(fitted.arrays()["target"]) / size.clamp_min(1.0)
        counts = None if size is None else Rows(values)
        return Prepared(Rows(_load(target, "inputs")), counts, size, scale, fitted, parts, labels)

    def _names(self, name: str) -> Any:
        path = self.folder / f"{name}.npy"
        return np.load(path, allow_pickle=False) if path.exists() else None


@lru_cache(maxsize=2)
def prepared(folder: Path, spec: SplitSpec, transform: TransformSpec) -> Prepared:
    """The prepared split, kept by a resident worker from one trial to the next."""
    return DataFolder(folder).prepare(spec, transform)


def _dense_if_small(values: Any) -> Any:
    small = values.shape[0] * values.shape[1] * 4 <= DENSE_LIMIT
    return values.toarray() if sp.issparse(values) and small else values


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A folder to write to that takes its place only when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".", suffix=".partial", dir=target.parent))
    try:
        yield fresh
        os.replace(fresh, target)
    except OSError:
        if not target.exists():  # else another process was first
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _save(folder: Path, name: str, matrix: Any) -> None:
    if not sp.issparse(matrix):
        np.save(folder / f"{name}.npy", np.ascontiguousarray(matrix, dtype=np.float32))
        return
    for part in ("data", "indices", "indptr", "shape"):
        np.save(folder / f"{name}.{part}.npy", np.asarray(getattr(matrix, part)))


def _load(folder: Path, name: str) -> Any:
    dense = folder / f"{name}.npy"
    if dense.exists():
        return np.load(dense, mmap_mode="c")
    data, indices, indptr, shape = (
        np.load(folder / f"{name}.{part}.npy", mmap_mode="c") for part in ("data", "indices", "indptr", "shape")
    )
    return sp.csr_matrix((data, indices, indptr), shape=tuple(shape), copy=False)
