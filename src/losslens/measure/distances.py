"""Distances under any exponent, as logarithms, and how much they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
NEIGHBOURS = 10
TINY = 1e-30
BLOCK = 65_536  # differences at a time


def log_distances(points: npt.NDArray[Any], query: npt.NDArray[Any], exponent: float) -> Doubles:
    r"""Logarithm of :math:`\left(\sum_f |x_f - q_f|^k\right)^{1/k}` for each row, for any k up to infinity.

    Powers are taken of numbers divided by the largest, so that 0.1 in a thousand dimensions stays in range. Minus
    infinity where a row equals the query.

    >>> log_distances(np.array([[3.0, 4.0]]), np.zeros(2), 2.0).round(4)
    array([1.6094])
    """
    return np.asarray(log_distances_under(points, query, (exponent,))[0])


def log_distances_under(points: npt.NDArray[Any], query: npt.NDArray[Any], exponents: Sequence[float]) -> Doubles:
    """The same under several exponents: (exponents, points), a few rows at a time, so that they stay in the cache.

    In the precision of the points: single precision has five digits of a distance left.
    """
    step = max(1, BLOCK // max(1, points.shape[-1]))
    parts = (np.abs(points[first : first + step] - query) for first in range(0, len(points), step))
    return np.concatenate([_log_norms(part, exponents) for part in parts], axis=1)


def _log_norms(sizes: npt.NDArray[Any], exponents: Sequence[float]) -> Doubles:
    largest = sizes.max(-1)
    sizes /= np.where(largest > 0, largest, 1.0)[:, None]
    with np.errstate(divide="ignore"):
        sums = [np.zeros(len(sizes)) if np.isinf(k) else np.log(_power(sizes, k).sum(-1)) / k for k in exponents]
        return np.asarray(np.log(largest, dtype=np.float64) + np.array(sums))


def _power(shares: npt.NDArray[Any], exponent: float) -> npt.NDArray[Any]:
    """By squares or roots where the exponent is a power of two; else around zeros, which ``**`` is slow at."""
    mantissa, power = math.frexp(exponent)
    if mantissa != 0.5:
        return np.asarray(np.maximum(shares, TINY) ** exponent * (shares > 0))
    for _ in range(abs(power - 1)):
        shares = np.square(shares) if power > 1 else np.sqrt(shares)
    return shares


def relative_contrast(points: npt.NDArray[Any], query: npt.NDArray[Any], exponent: float) -> float:
    """``(Dmax - Dmin) / Dmin`` of the distances of all points from the query.

    >>> round(relative_contrast(np.array([[1.0, 0.0], [0.0, 3.0]]), np.zeros(2), 2.0), 6)
    2.0
    """
    logs = log_distances(points, query, exponent)
    return float(np.expm1(logs.max() - logs.min()))


def matching_neighbours(logs: Doubles, labels: npt.NDArray[Any], index: int, neighbours: int = NEIGHBOURS) -> int:
    """How many of the nearest rows have the label of row ``index``, from which ``logs`` are the distances of all."""
    others = logs.copy()
    others[index] = np.inf
    nearest = np.argsort(others, kind="stable")[:neighbours]
    return int((labels[nearest] == labels[index]).sum())


def chance_of_match(labels: npt.NDArray[Any]) -> float:
    """Probability that two different rows have the same label.

    >>> chance_of_match(np.array(["a", "a", "b"])).__round__(4)
    0.3333
    """
    sizes = np.unique(labels, return_counts=True)[1]
    return float((sizes * (sizes - 1)).sum() / (len(labels) * (len(labels) - 1)))
