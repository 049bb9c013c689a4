"""The working space, as a network will see it: a sample of rows after the transform, and figures of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import entr

from losslens.data.gate import HEAVY, Observation
from losslens.data.moments import moments
from losslens.data.profiles import Floats, Profiles
from losslens.data.transforms import fit_transform_named
from losslens.vocabulary.quantities import Domain

MOST_ROWS = 1000
MOST_VALUES = 3_000_000  # held dense
FEWEST_ROWS = 50  # however wide the data are


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows in the working space, dense: ``values`` without the columns that are zero in all of them.

    ``features`` counts all columns, ``of`` all rows there are; ``labels`` are those of the rows, if there are any.
    """

    values: Floats
    labels: npt.NDArray[np.str_] | None
    features: int
    of: int
    space: str


@dataclass(frozen=True)
class Shape:
    """Figures of the working space that a choice of loss depends on; shares are fractions.

    - ``share_below_zero``: of all values.
    - ``share_mostly_zero``: of the features, those whose median is zero.
    - ``share_heavy_tailed``: of the other features, those with an excess kurtosis above that of Laplace noise.
    - ``norm_share``: how much of the squared distance between two profiles is a difference of their norms, on average.
    - ``entropy``: mean of ``-x log x - (1 - x) log(1 - x)`` in nats, for data in [0, 1], else None.
    """

    share_below_zero: float
    share_mostly_zero: float
    share_heavy_tailed: float
    norm_share: float
    entropy: float | None


def sample(profiles: Profiles, seen: Observation, seed: int = 0) -> Sample:
    """At most 1,000 rows (fewer of very wide data), after the transform of the kind of data, fitted on all rows."""
    rows, features = profiles.shape
    number = min(rows, MOST_ROWS, max(FEWEST_ROWS, MOST_VALUES // features))
    chosen = np.sort(np.random.default_rng(seed).choice(rows, number, replace=False))
    fitted = fit_transform_named(seen.kind.transform, profiles.values, cap=seen.cap)
    part = fitted.apply(profiles.values, chosen)
    present = np.asarray(abs(part).max(axis=0).todense()).ravel() if sp.issparse(part) else abs(part).max(axis=0)
    kept = part[:, present > 0] if present.any() else part[:, :1]
    dense = kept.toarray() if sp.issparse(kept) else kept
    labels = None if profiles.labels is None else profiles.labels[chosen]
    return Sample(np.asarray(dense, dtype=np.float32), labels, features, rows, fitted.space)


def shape(drawn: Sample, domain: Domain) -> Shape:
    """The figures of a sample, whose values lie in ``domain``.

    >>> rows = Sample(np.array([[3, 4], [6, 8]], dtype=np.float32), None, 2, 2, "data units")
    >>> shape(rows, Domain.NON_NEGATIVE).norm_share  # the same direction twice
    1.0
    """
    values = drawn.values
    mostly_zero = np.median(values, axis=0) == 0
    each = moments(values)
    judged = ~mostly_zero & (each.variance > 0)
    total = each.variance.sum()
    size = len(values) * drawn.features
    return Shape(
        share_below_zero=float((values < 0).sum() / size),
        share_mostly_zero=float((mostly_zero.sum() + drawn.features - values.shape[1]) / drawn.features),
        share_heavy_tailed=float((each.excess_kurtosis[judged] > HEAVY).mean()) if judged.any() else 0.0,
        norm_share=float(np.linalg.norm(values, axis=1).var() / total) if total else 0.0,
        entropy=float((entr(values) + entr(1 - values)).sum() / size) if domain is Domain.UNIT else None,
    )
