"""k-means on codes, made safe for codes that have collapsed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

STARTS = 10
RESOLUTION = 1e-6  # of the code's largest value: finer differences are float32 rounding


def cluster(code: npt.NDArray[np.float32], clusters: int, seed: int) -> npt.NDArray[np.int64]:
    """The k-means cluster of every row of ``code``, best of ten starts; fewer clusters if fewer rows differ.

    The code is not standardised: distances are those that a user of the code meets, and a direction that
    the model let die would otherwise be blown up until its rounding noise counts as much as the signal.
    One thread, so that equal codes and seeds give equal clusters.

    >>> cluster(np.array([[0.0], [0.1], [5.0]], dtype=np.float32), 2, seed=0).tolist() in ([0, 0, 1], [1, 1, 0])
    True
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    points = _resolved(code)
    clusters = min(clusters, len(np.unique(points, axis=0)))
    with threadpool_limits(1):
        found = KMeans(clusters, n_init=STARTS, random_state=seed).fit_predict(points)
    return np.asarray(found, dtype=np.int64)


def _resolved(code: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Centred, scaled to a largest value of 1, rounded to the resolution; a constant code becomes zeros."""
    points = code.astype(np.float64)
    largest = np.abs(points).max()
    points -= points.mean(axis=0)
    spread = np.abs(points).max()
    if spread <= RESOLUTION * largest:
        return np.zeros_like(points)
    return np.asarray(np.round(points / (spread * RESOLUTION)) * RESOLUTION)
