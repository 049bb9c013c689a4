"""Concentration of distances in data of one's own: how much they differ, how that falls, and what neighbours share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from losslens.measure.distances import NEIGHBOURS, Doubles, chance_of_match, log_distances_under, matching_neighbours

EXPONENTS = (0.1, 0.5, 1.0, 2.0, 4.0, np.inf)
REFERENCE = 2.0
QUERIES, TREND_QUERIES = 200, 30
MOST_DIFFERENCES = 200_000_000  # between queries and points, feature by feature
HALVINGS, FITTED = 6, 4  # subsets of features down to a 64th; the trend is fitted to the largest four
SMALLEST = 4  # features in a subset
FLATTER = 0.1  # difference of slopes from which on features are said to move together
LABELLED = 30  # rows below which neighbours' labels tell nothing

Classes = npt.NDArray[Any]


@dataclass(frozen=True)
class Estimate:
    """A mean over query rows with its interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Contrast:
    """Relative contrast under one exponent.

    - ``median``, ``low``, ``high``: over query rows with all features, and quartiles.
    - ``by_size``: medians over random subsets of features, in the order of :attr:`View.sizes`.
    - ``slope``: exponent s of contrast ~ size^s over the largest four sizes; ``independent_slope``: the same once each
      feature is shuffled over the rows, which makes features independent and keeps all else. None of few features.
    - ``agreement``: share of the nearest ten rows with the query's label, 95 % interval; ``versus``: difference from
      that of L2 on the same queries, with intervals that hold for all exponents together.
    """

    exponent: float
    median: float
    low: float
    high: float
    by_size: tuple[float, ...]
    slope: float | None
    independent_slope: float | None
    agreement: Estimate | None = None
    versus: Estimate | None = None

    @property
    def name(self) -> str:
        """L with its exponent: ``L0.5``, ``Linf``."""
        return f"L{self.exponent:g}"


@dataclass(frozen=True)
class View:
    """The concentration of distances in some data.

    ``equal`` is the share of pairs with distance zero, by size: they are left out, as nothing can be divided by zero.
    ``chance`` is the agreement of labels among neighbours drawn at random, None without labels.
    """

    points: int
    queries: int
    sizes: tuple[int, ...]
    equal: tuple[float, ...]
    chance: float | None
    contrasts: tuple[Contrast, ...]

    @property
    def reference(self) -> Contrast:
        """The Euclidean one."""
        return next(each for each in self.contrasts if each.exponent == REFERENCE)

    @property
    def meaning(self) -> str:
        """The trend in one plain sentence."""
        slope, independent = self.reference.slope, self.reference.independent_slope
        if slope is None or independent is None:
            return "There are too few features, or too many equal rows, for a trend."
        figures = (
            f"Under L2 contrast falls as features^{slope:.2f}, with features shuffled as features^{independent:.2f}"
        )
        if slope > independent + FLATTER:
            return (
                f"{figures}: features move together, so that the data have far fewer dimensions than features and "
                "distances keep telling rows apart."
            )
        return f"{figures}: no flatter than independent features, so that more features tell rows apart ever less."

    @property
    def neighbours(self) -> str:
        """What labels say about the exponents, in plain sentences; empty without labels."""
        if self.chance is None:
            return ""
        widest = max(self.contrasts, key=lambda each: each.median)
        best = max(self.contrasts, key=lambda each: each.agreement.mean if each.agreement else 0.0)
        return (
            f"Contrast is largest under {widest.name}; neighbours share the label most often under {best.name}. "
            f"{self._against_reference()}"
        )

    def _against_reference(self) -> str:
        apart = [(c.name, c.versus) for c in self.contrasts if c.versus and not c.versus.low <= 0.0 <= c.versus.high]
        if not apart:
            return "No exponent differs from L2 in that by more than chance."
        said = (f"{'more' if versus.mean > 0 else 'less'} often under {name} ({versus})" for name, versus in apart)
        return f"Compared with L2 that is {', '.join(said)}; no other differs."


def view(values: npt.NDArray[Any], labels: Classes | None = None, seed: int = 0) -> View:
    r"""Relative contrast :math:`(D_{max} - D_{min}) / D_{min}` of the rows from each of a sample of them.

    ``values`` are (rows, features), dense. Features that do not vary are left out; so are rows at distance zero.
    Queries are at most 200 rows, fewer where rows times features are many; each size below all features is measured
    with another random subset for each of 30 queries.

    >>> found = view(np.random.default_rng(0).uniform(size=(60, 64)))
    >>> found.sizes, found.contrasts[-1].name
    ((4, 8, 16, 32, 64), 'Linf')
    """
    generator = np.random.default_rng([seed, 1])  # apart from the draw of the rows
    varying = values.max(axis=0) > values.min(axis=0)
    values = values[:, varying] if varying.any() else values[:, :1]
    rows, features = values.shape
    number = min(rows, QUERIES, max(20, MOST_DIFFERENCES // max(1, rows * features)))
    queries = generator.choice(rows, number, replace=False)
    whole, equal, matches = _whole(values, queries, labels)
    sizes, few = _sizes(features), queries[: min(TREND_QUERIES, max(10, number // 3))]
    parts = [_subsets(values, few, size, generator) for size in sizes[:-1]]
    shuffled = generator.permuted(values, axis=0)
    independent = [_medians(_subsets(shuffled, few, size, generator)[0]) for size in sizes[-FITTED:]]
    medians = np.array([*(_medians(part) for part, _ in parts), _medians(whole)])
    chance = None if matches is None or labels is None else chance_of_match(labels)
    contrasts = _contrasts(sizes, medians, np.array(independent), whole, matches)
    return View(rows, number, sizes, (*(share for _, share in parts), equal), chance, contrasts)


def _contrasts(
    sizes: tuple[int, ...], medians: Doubles, independent: Doubles, whole: Doubles, matches: Doubles | None
) -> tuple[Contrast, ...]:
    """What was measured, by exponent; medians are (sizes, exponents)."""
    quartiles = np.quantile(whole, [0.25, 0.75], axis=0) if len(whole) else np.full((2, len(EXPONENTS)), np.nan)
    agreement = [(None, None)] * len(EXPONENTS) if matches is None else _agreement(matches)
    return tuple(
        Contrast(
            exponent=exponent,
            median=float(medians[-1, place]),
            low=float(quartiles[0, place]),
            high=float(quartiles[1, place]),
            by_size=tuple(medians[:, place].tolist()),
            slope=_slope(sizes[-FITTED:], medians[-FITTED:, place]),
            independent_slope=_slope(sizes[-FITTED:], independent[:, place]),
            agreement=agreement[place][0],
            versus=agreement[place][1],
        )
        for place, exponent in enumerate(EXPONENTS)
    )


def _sizes(features: int) -> tuple[int, ...]:
    """All features and repeated halves of them, smallest first."""
    halves = {features >> times for times in range(1, HALVINGS + 1)}
    return (*sorted(size for size in halves if size >= SMALLEST), features)


def _whole(
    values: npt.NDArray[Any], queries: npt.NDArray[np.int64], labels: Classes | None
) -> tuple[Doubles, float, Doubles | None]:
    """With all features: contrasts (queries, exponents), the share of equal pairs, matching neighbours likewise."""
    judged = labels is not None and len(values) >= LABELLED and len(np.unique(labels)) > 1
    contrasts, matches, equal = [], [], 0
    for query in queries:
        logs = log_distances_under(values, values[query], EXPONENTS)
        if judged and labels is not None:
            matches.append([matching_neighbours(own, labels, query) / NEIGHBOURS for own in logs])
        apart = logs[-1] > -np.inf
        equal += int(len(values) - 1 - apart.sum())
        contrasts += _contrast(logs[:, apart])
    share = equal / (len(queries) * (len(values) - 1))
    return _table(contrasts), share, np.array(matches) if judged else None


def _subsets(
    values: npt.NDArray[Any], queries: npt.NDArray[np.int64], size: int, generator: np.random.Generator
) -> tuple[Doubles, float]:
    """Contrasts from each query with features of its own, drawn at random, and the share of equal pairs."""
    contrasts, equal = [], 0
    for query in queries:
        part = values[:, generator.choice(values.shape[1], size, replace=False)]
        logs = log_distances_under(part, part[query], EXPONENTS)
        apart = logs[-1] > -np.inf
        equal += int(len(values) - 1 - apart.sum())
        contrasts += _contrast(logs[:, apart])
    return _table(contrasts), equal / (len(queries) * (len(values) - 1))


def _contrast(logs: Doubles) -> list[Doubles]:
    """One row of contrasts from distances (exponents, points) above zero; none, if there are fewer than two points."""
    return [np.expm1(logs.max(axis=1) - logs.min(axis=1))] if logs.shape[1] > 1 else []


def _table(rows: list[Doubles]) -> Doubles:
    return np.array(rows).reshape(len(rows), len(EXPONENTS))


def _medians(contrasts: Doubles) -> Doubles:
    return np.median(contrasts, axis=0) if len(contrasts) else np.full(len(EXPONENTS), np.nan)


def _slope(sizes: tuple[int, ...], medians: Doubles) -> float | None:
    """Of a straight line through the logarithms, by least squares; None of fewer than two sizes."""
    if len(sizes) < 2 or not (medians > 0).all():
        return None
    return float(np.polyfit(np.log(sizes), np.log(medians), 1)[0])


def _agreement(matches: Doubles) -> list[tuple[Estimate, Estimate | None]]:
    """Per exponent the mean share of matching neighbours, and its difference from the reference on the same queries."""
    reference = EXPONENTS.index(REFERENCE)
    others = len(EXPONENTS) - 1
    return [
        (
            _estimate(matches[:, place], 0.05),
            None if place == reference else _estimate(matches[:, place] - matches[:, reference], 0.05 / others),
        )
        for place in range(len(EXPONENTS))
    ]


def _estimate(numbers: Doubles, level: float) -> Estimate:
    """Mean and t interval that misses with probability ``level``."""
    from scipy.stats import t

    mean, error = float(numbers.mean()), float(numbers.std(ddof=1) / np.sqrt(len(numbers)))
    reach = float(t.ppf(1 - level / 2, len(numbers) - 1)) * error
    return Estimate(mean, mean - reach, mean + reach)
