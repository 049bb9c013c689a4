"""Paired comparisons over repeated random splits, honest about the splits sharing data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interval:
    """Mean paired difference with its 95 % interval and two-sided p value."""

    mean: float
    low: float
    high: float
    p: float
    repeats: int


def corrected_interval(differences: Sequence[float], test_share: float, level: float = 0.95) -> Interval:
    r"""Corrected resampled t interval of a mean difference over random splits.

    .. math:: \bar d \pm t_{J-1} \sqrt{\left(\frac1J + \frac{n_{test}}{n_{train}}\right) s_d^2}

    The splits share samples, so the plain t interval is far too narrow; the second term makes up for it
    (Nadeau and Bengio, Machine Learning 52, 2003). ``test_share`` is :math:`n_{test}/n_{train}`.
    Fewer than two differences give an unbounded interval, identical ones what their sign alone supports.

    >>> corrected_interval([0.1, 0.2, 0.3], 0.25).low < 0 < corrected_interval([0.19, 0.2, 0.21], 0.25).low
    True
    """
    from scipy import stats

    d: NDArray[np.float64] = np.asarray(differences, dtype=np.float64)
    repeats, mean = len(d), float(np.mean(d)) if len(d) else math.nan
    if repeats < 2:
        return Interval(mean, -math.inf, math.inf, 1.0, repeats)
    spread = math.sqrt((1 / repeats + test_share) * float(np.var(d, ddof=1)))
    if spread <= 1e-12 * abs(mean):
        return _without_spread(mean, repeats, level)
    reach = float(stats.t.ppf(0.5 + level / 2, repeats - 1)) * spread
    p = 2 * float(stats.t.sf(abs(mean) / spread, repeats - 1))
    return Interval(mean, mean - reach, mean + reach, p, repeats)


def _without_spread(mean: float, repeats: int, level: float) -> Interval:
    """Identical differences: a share of so many samples takes few values, so two of them agree by chance.

    They do not show how far they could have varied; what counts is that all have one sign (the exact sign test).
    """
    p = 1.0 if mean == 0 else 2.0 ** (1 - repeats)
    reach = 0.0 if mean == 0 or p <= 1 - level else math.inf
    return Interval(mean, mean - reach, mean + reach, p, repeats)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down correction: p values that may all be read at one level.

    >>> {name: round(p, 4) for name, p in holm({"a": 0.01, "b": 0.04, "c": 0.03}).items()}
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    corrected: dict[str, float] = {}
    running = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda pair: pair[1])):
        running = max(running, min(1.0, (len(p_values) - rank) * p))
        corrected[name] = running
    return corrected
