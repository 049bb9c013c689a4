"""Are there more zeros among counts than a negative binomial explains? Measured, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from losslens.data.moments import Doubles, blocks, row_sums
from losslens.data.profiles import Matrix, Profiles

MOST_ROWS = 5000
MOST_VALUES = 20_000_000  # stored values of the rows looked at
LIBRARIES = 128  # typical library sizes that stand for all of them
FEWEST = 20  # samples of a class from which on it is fitted apart
CLEAR, SURE = 0.02, 4.0  # an excess of 2 % of all values, four standard errors from none


@dataclass(frozen=True)
class ZeroShares:
    """Shares of zeros among counts: observed, and expected of Poisson and negative binomial counts.

    Both have the mean of each feature in proportion to the library sizes; the negative binomial also the variance.
    ``error`` is the standard error of the observed share if the negative binomial were true, ``within`` the number of
    classes that were fitted apart: 1 if there are no labels.
    """

    observed: float
    negative_binomial: float
    poisson: float
    error: float
    within: int

    @property
    def excess(self) -> float:
        """Share of all values that are zero beyond what the negative binomial expects; negative if they are fewer."""
        return self.observed - self.negative_binomial

    @property
    def clear(self) -> bool:
        """Whether the excess is neither small nor chance."""
        return self.excess > max(CLEAR, SURE * self.error)


def zero_shares(profiles: Profiles, seed: int = 0) -> ZeroShares:
    r"""Zeros of raw counts, beside those that counts of the same mean and variance would have.

    .. math:: \mu_{ig} = s_i m_g, \qquad
              \frac{1}{\theta_g} = \frac{\sum_i (x_{ig} - \mu_{ig})^2 - \mu_{ig}}{\sum_i \mu_{ig}^2}, \qquad
              P(x_{ig} = 0) = \left(1 + \frac{\mu_{ig}}{\theta_g}\right)^{-\theta_g}

    with :math:`s_i` the library size over its mean. What varies less than Poisson counts is taken for such. Within
    each class of at least 20 samples, if there are labels: differences between classes are no lost counts. Of large
    data at most 5,000 rows, drawn at random.

    >>> from losslens.data.synthetic import negative_binomial_counts
    >>> zero_shares(negative_binomial_counts(depth=2.0)).clear
    False
    """
    values = profiles.values
    rows = _rows(values, seed)
    parts = [_part(values[chosen]) for chosen in _classes(profiles.labels, rows)]
    total = np.sum(parts, axis=0)
    cells, observed, expected, poisson, variance = (float(number) for number in total)
    return ZeroShares(observed / cells, expected / cells, poisson / cells, float(np.sqrt(variance)) / cells, len(parts))


def _rows(values: Matrix, seed: int) -> npt.NDArray[np.int64]:
    rows = values.shape[0]
    per_row = max(1, (values.nnz if sp.issparse(values) else values.size) // rows)
    number = min(rows, MOST_ROWS, max(FEWEST, MOST_VALUES // per_row))
    return np.sort(np.random.default_rng(seed).choice(rows, number, replace=False))


def _classes(labels: npt.NDArray[np.str_] | None, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """The rows of each class that is large enough; all rows together, if none is or there are no labels."""
    if labels is None:
        return [rows]
    own = labels[rows]
    groups = [rows[own == name] for name in np.unique(own)]
    return [group for group in groups if len(group) >= FEWEST] or [rows]


def _part(values: Matrix) -> Doubles:
    """Number of values, zeros observed, expected under both laws, and the variance of their number."""
    library = row_sums(values)
    size = library / library.mean() if library.any() else np.ones_like(library)
    mean, square, cross, zeros = _sums(values, size)
    mean = mean / len(size)
    spread = square - 2 * mean * cross + mean**2 * (size**2).sum()
    scale = mean**2 * (size**2).sum()
    dispersion = np.maximum(np.divide(spread - mean * len(size), scale, out=np.zeros_like(mean), where=scale > 0), 0.0)
    expected, poisson, variance = 0.0, 0.0, 0.0
    for group in np.array_split(np.sort(size), min(LIBRARIES, len(size))):
        rate = group.mean() * mean
        chance = np.exp(-_growth(rate, dispersion))
        expected += len(group) * chance.sum()
        variance += len(group) * (chance * (1 - chance)).sum()
        poisson += len(group) * np.exp(-rate).sum()
    return np.array([values.shape[0] * values.shape[1], zeros, expected, poisson, variance])


def _growth(rate: Doubles, dispersion: Doubles) -> Doubles:
    """``log(1 + dispersion * rate) / dispersion``, which is the rate where the dispersion is zero."""
    apart = dispersion > 1e-9
    divisor = np.where(apart, dispersion, 1.0)
    return np.where(apart, np.log1p(divisor * rate) / divisor, rate)


def _sums(values: Matrix, size: Doubles) -> tuple[Doubles, Doubles, Doubles, int]:
    """Per feature the sums of x, of its square and of x times the library size; the number of zeros."""
    columns = values.shape[1]
    plain, square, cross = (np.zeros(columns) for _ in range(3))
    held, start = 0, 0
    for block in blocks(values):
        own = sp.csr_matrix(block).astype(np.float64)
        sizes = np.repeat(size[start : start + own.shape[0]], np.diff(own.indptr))
        for total, weights in ((plain, own.data), (square, own.data**2), (cross, own.data * sizes)):
            total += np.bincount(own.indices, weights=weights, minlength=columns)
        held += int(np.count_nonzero(own.data))
        start += own.shape[0]
    return plain, square, cross, values.shape[0] * columns - held
