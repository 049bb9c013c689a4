"""Transforms from data units to the working space, fitted on training rows only and saved as plain arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from losslens.data.detection import known_cap
from losslens.data.moments import moments, row_sums
from losslens.data.profiles import Floats, Indices, Matrix
from losslens.vocabulary.catalogue import Catalogue
from losslens.vocabulary.errors import BadInput

Arrays = Mapping[str, npt.NDArray[Any]]


class Transform(ABC):
    """A fitted map from data units to the working space and back.

    ``apply`` gives float32 and keeps CSR where zeros stay zero; ``space`` names the working space with its units.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def space(self) -> str:
        """The working space in words, with units."""

    @abstractmethod
    def apply(self, values: Matrix, rows: Indices | None = None) -> Matrix:
        """Values in the working space, of all rows or the given ones."""

    @abstractmethod
    def invert(self, values: Floats, library: Floats | None = None) -> Floats:
        """Back to data units; ``library`` is the total of each profile, for transforms that removed it."""

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What was fitted, as plain arrays."""
        return {key: np.asarray(value) for key, value in vars(self).items()}

    @staticmethod
    def from_arrays(name: str, arrays: Arrays) -> Transform:
        """The transform that ``arrays`` came from."""
        return TRANSFORMS[name].restore(arrays)


@dataclass(frozen=True, eq=False)
class Unchanged(Transform):
    """Values as they are."""

    name: ClassVar[str] = "none"

    @property
    def space(self) -> str:
        """Data units."""
        return "data units, unchanged"

    def apply(self, values: Matrix, rows: Indices | None = None) -> Matrix:
        """The same values."""
        return _picked(values, rows)

    def invert(self, values: Floats, library: Floats | None = None) -> Floats:
        """The same values."""
        return np.asarray(values, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Log1p(Transform):
    """The logarithm of 1 + x."""

    name: ClassVar[str] = "log1p"

    @property
    def space(self) -> str:
        """Logarithms."""
        return "log1p of data units"

    def apply(self, values: Matrix, rows: Indices | None = None) -> Matrix:
        """log(1 + x)."""
        return _log1p(_non_negative(_picked(values, rows), self.name))

    def invert(self, values: Floats, library: Floats | None = None) -> Floats:
        """exp(y) - 1."""
        return np.expm1(np.asarray(values, dtype=np.float32))


@dataclass(frozen=True, eq=False)
class LibraryLog(Transform):
    """log(1 + x * target / library): counts brought to one library size, then logged."""

    target: float
    name: ClassVar[str] = "library_log"

    @property
    def space(self) -> str:
        """Logarithms of scaled counts."""
        return f"log1p of counts scaled to {self.target:,.0f} per profile"

    def apply(self, values: Matrix, rows: Indices | None = None) -> Matrix:
        """log(1 + x * target / library); a profile without counts stays zero."""
        picked = _non_negative(_picked(values, rows), self.name)
        total = library(picked)
        factor = np.divide(self.target, total, out=np.zeros_like(total), where=total > 0)
        return _log1p(_scaled_rows(picked, factor))

    def invert(self, values: Floats, library: Floats | None = None) -> Floats:
        """Expected counts for profiles with the given library sizes (without: with the median training library)."""
        scaled = np.expm1(np.asarray(values, dtype=np.float32))
        if library is None:
            return scaled
        factor = np.asarray(library, dtype=np.float32) / np.float32(self.target)
        return np.asarray(scaled * factor[:, None])


@dataclass(frozen=True, eq=False)
class Standardise(Transform):
    """Deviations from the training mean of each feature, in its standard deviations."""

    mean: Floats
    scale: Floats
    name: ClassVar[str] = "standardise"

    @property
    def space(self) -> str:
        """Standard deviations."""
        return "standard deviations from the training mean of each feature"

    def apply(self, values: Matrix, rows: Indices | None = None) -> Matrix:
        """(x - mean) / scale, dense."""
        picked = _picked(values, rows)
        dense = picked.toarray() if sp.issparse(picked) else picked
        return (dense - self.mean) / self.scale

    def invert(self, values: Floats, library: Floats | None = None) -> Floats:
        """Y * scale + mean."""
        return np.asarray(values, dtype=np.float32) * self.scale + self.mean


@dataclass(frozen=True, eq=False)
class UnitScale(Transform):
    """Values divided by the largest one that their scale allows."""

    cap: float
    name: ClassVar[str] = "unit_scale"

    @property
    def space(self) -> str:
        """Shares of the cap."""
        return f"data units divided by {self.cap:g}"

    def apply(self, values: Matrix, rows: Indices | None = None) -> Matrix:
        """X / cap.

        Raises:
            BadInput: a value is negative or above the cap.
        """
        picked = _non_negative(_picked(values, rows), self.name)
        if picked.max() > self.cap:
            raise BadInput(
                expected=f"values up to {self.cap:g}, the maximum of the data that were fitted",
                found=f"{picked.max():g}",
                remedy="Fit on data that reach the maximum of their scale.",
            )
        return (picked / np.float32(self.cap)).astype(np.float32, copy=False)

    def invert(self, values: Floats, library: Floats | None = None) -> Floats:
        """Y * cap."""
        return np.asarray(values, dtype=np.float32) * np.float32(self.cap)


@dataclass(frozen=True)
class TransformEntry:
    """How a transform is fitted on training values (with the cap of their scale, if known) and restored."""

    name: str
    summary: str
    fit: Callable[[Matrix, float | None], Transform]
    restore: Callable[[Arrays], Transform]
    aliases: tuple[str, ...] = ()


def fit_transform_named(name: str, train_values: Matrix, *, cap: float | None = None) -> Transform:
    """Fit the transform of that name on training rows; ``cap`` is the largest value of the scale, for unit_scale.

    >>> fit_transform_named("library_log", np.array([[1.0, 3.0], [0.0, 0.0]], dtype=np.float32)).space
    'log1p of counts scaled to 4 per profile'
    """
    return TRANSFORMS[name].fit(train_values, cap)


def library(values: Matrix) -> Floats:
    """The sum of every profile over the features at hand, summed in float64."""
    return row_sums(values).astype(np.float32)


def _picked(values: Matrix, rows: Indices | None) -> Matrix:
    picked = values if rows is None else values[rows]
    return picked.astype(np.float32, copy=False)


def _non_negative(values: Matrix, name: str) -> Matrix:
    if values.shape[0] and values.min() < 0:
        raise BadInput(
            expected=f"non-negative values for the transform {name!r}",
            found=f"{values.min():g}",
            remedy="Pass the data in the units that the transform was fitted on.",
        )
    return values


def _log1p(values: Matrix) -> Matrix:
    return values.log1p() if sp.issparse(values) else np.log1p(values)


def _scaled_rows(values: Matrix, factor: Floats) -> Matrix:
    if not sp.issparse(values):
        return values * factor[:, None]
    data = values.data * np.repeat(factor, np.diff(values.indptr))
    return sp.csr_matrix((data, values.indices, values.indptr), shape=values.shape)


def _fit_library_log(values: Matrix, cap: float | None) -> Transform:
    sizes = row_sums(values)
    return LibraryLog(float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 1.0)


def _fit_standardise(values: Matrix, cap: float | None) -> Transform:
    each = moments(values)
    scale = np.where(each.variance > 0, np.sqrt(each.variance), 1.0)
    return Standardise(each.mean.astype(np.float32), scale.astype(np.float32))


def _fit_unit_scale(values: Matrix, cap: float | None) -> Transform:
    """The cap given, else a known limit close above the training maximum, else this maximum."""
    highest = known_cap(float(values.max()))
    return UnitScale(cap if cap is not None else highest if highest > 0 else 1.0)


TRANSFORMS: Catalogue[TransformEntry] = Catalogue("transform")
TRANSFORMS.add(
    TransformEntry("none", "Values as they are.", lambda values, cap: Unchanged(), lambda arrays: Unchanged())
)
TRANSFORMS.add(TransformEntry("log1p", "The logarithm of 1 + x.", lambda values, cap: Log1p(), lambda arrays: Log1p()))
TRANSFORMS.add(
    TransformEntry(
        "library_log",
        "Counts scaled to the median training library size, then the logarithm of 1 + x.",
        _fit_library_log,
        lambda arrays: LibraryLog(float(arrays["target"])),
    )
)
TRANSFORMS.add(
    TransformEntry(
        "standardise",
        "Per feature: minus the training mean, divided by the training standard deviation.",
        _fit_standardise,
        lambda arrays: Standardise(np.asarray(arrays["mean"]), np.asarray(arrays["scale"])),
    )
)
TRANSFORMS.add(
    TransformEntry(
        "unit_scale",
        "Divided by the largest value of the scale.",
        _fit_unit_scale,
        lambda arrays: UnitScale(float(arrays["cap"])),
    )
)
