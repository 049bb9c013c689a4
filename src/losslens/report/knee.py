"""The knee of a curve of scores over sizes: from where on more brings nothing that random splits could show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
RESOLUTION = 1e-6  # relative: closer scores are equal, since reconstructions are single precision
MOST_RESAMPLES = 20_000


@dataclass(frozen=True)
class Knee:
    """The smallest size that is as good as the best one, and the ends of its 95 % interval."""

    size: int
    low: int
    high: int


def knee(scores: Mapping[int, Mapping[int, float]], test_share: float, sign: float) -> Knee | None:
    r"""The one-standard-error rule, for scores by size and repeat, over the repeats that all sizes have.

    .. math:: \min \Bigl\{ s : \bar d_s \le \sqrt{\left(\tfrac1J + \tfrac{n_{test}}{n_{train}}\right)
              \mathrm{var}(d_s)} \Bigr\}, \qquad d_s = \text{best size} - s, \text{ split by split}

    Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984; the standard error is that of the
    paired difference, made up for splits that share samples (Nadeau and Bengio, Machine Learning 52, 2003). The
    interval holds the knees of resampled splits: each time as many are drawn as independent ones would be worth, the
    inverse of the bracket, so that the spread of resampled means is the same corrected one. ``sign`` is 1 where
    higher is better, else -1. None with fewer than two sizes or two repeats.

    >>> knee({2: {0: 0.60, 1: 0.64}, 4: {0: 0.80, 1: 0.81}, 8: {0: 0.80, 1: 0.811}}, 0.25, 1.0)
    Knee(size=4, low=4, high=8)
    """
    sizes = sorted(scores)
    repeats = sorted(set.intersection(*(set(own) for own in scores.values()))) if sizes else []
    if len(sizes) < 2 or len(repeats) < 2:
        return None
    table = sign * np.array([[scores[size][repeat] for repeat in repeats] for size in sizes])
    share = 1.0 / len(repeats) + test_share
    errors = np.sqrt(share * (table[:, None] - table[None]).var(axis=2, ddof=1))
    shares, chances = _resamples(len(repeats), max(1, round(1.0 / share)))
    found = np.array([_first(table @ weights, errors) for weights in shares])
    low, high = _central(found, chances)
    return Knee(sizes[_first(table.mean(1), errors)], sizes[low], sizes[high])


def _first(means: Doubles, errors: Doubles) -> int:
    """Place of the first size within one standard error of the best."""
    best = int(means.argmax())
    allowed = np.maximum(errors[best], RESOLUTION * abs(float(means[best])))
    return int((means[best] - means <= allowed).argmax())


def _resamples(repeats: int, draws: int) -> tuple[Doubles, Doubles]:
    """The weights of the splits in every resample with its probability; a random part of them where they are many."""
    if math.comb(repeats + draws - 1, draws) > MOST_RESAMPLES:
        drawn = np.random.default_rng(0).multinomial(draws, [1.0 / repeats] * repeats, MOST_RESAMPLES)
        return drawn / draws, np.full(MOST_RESAMPLES, 1.0 / MOST_RESAMPLES)
    every = combinations_with_replacement(range(repeats), draws)
    counts = np.array([np.bincount(places, minlength=repeats) for places in every])
    ways = np.array([math.factorial(draws) / math.prod(map(math.factorial, row)) for row in counts.tolist()])
    return counts / draws, ways / repeats**draws


def _central(found: NDArray[np.int_], chances: Doubles) -> tuple[int, int]:
    """The places between which 95 % lie: at most 2.5 % on either side."""
    order = np.argsort(found, kind="stable")
    below = np.cumsum(chances[order])
    low = int(found[order][int((below > 0.025 + 1e-12).argmax())])
    high = int(found[order][int((below >= 0.975 - 1e-12).argmax())])
    return low, high
