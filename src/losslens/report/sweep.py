"""Code sizes compared: a curve for each candidate, its knee, and the size at which losses are then judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from losslens.measure.goals import judges_sizes
from losslens.measure.metrics import METRICS
from losslens.report.decision import difference, shared_repeats
from losslens.report.document import SizeCurve, SizePoint, Sweep
from losslens.report.knee import knee
from losslens.report.rows import Contest, Results, parted, steady, title
from losslens.report.statistics import Interval


def sweep(results: Results, contest: Contest) -> Sweep | None:
    """Curves over code sizes and the size to judge at; None where one size was asked for.

    Losses are compared at one size, as a longer code flatters whatever has it. That size is the knee of the candidate
    with the best score at any size; with a single split, the size of that score.
    """
    sizes = sorted({size for key in results if (size := parted(key)[1]) is not None})
    if not sizes:
        return None
    judged = replace(contest, yardstick=_yardstick(results, contest))
    curves = [curve for key in (*contest.simplest_first, "pca") if (curve := _curve(key, sizes, results, judged))]
    curves.sort(key=lambda curve: (curve.role == "baseline", -_best(curve, judged)))
    leader = curves[0] if curves else None
    return Sweep(
        yardstick=judged.yardstick,
        sizes=sizes,
        chosen=sizes[0] if leader is None else leader.knee or _top(leader, judged).size,
        leader=leader.key if leader else "",
        curves=curves,
    )


def at_size(results: Results, contest: Contest, size: int) -> tuple[Results, Contest]:
    """The results of one code size, those without a code among them, and the contest between them."""
    own = {key: each for key, each in results.items() if parted(key)[1] in (None, size)}
    return own, replace(contest, simplest_first=[f"{key}/{size}" for key in contest.simplest_first], size=size)


def _yardstick(results: Results, contest: Contest) -> str:
    """What judges sizes, or what decides if nothing has that."""
    name = judges_sizes(METRICS[contest.yardstick]).name
    measured = any(result.metrics.get(name) is not None for own in results.values() for result in own.values())
    return name if measured else contest.yardstick


def _curve(key: str, sizes: list[int], results: Results, contest: Contest) -> SizeCurve | None:
    own = {size: results[f"{key}/{size}"] for size in sizes if f"{key}/{size}" in results}
    scores = steady(own, contest)
    repeats = shared_repeats(scores)
    if not repeats:
        return None
    found = knee(scores, contest.test_share, contest.sign)
    return SizeCurve(
        key=key,
        title="PCA" if key == "pca" else title(key),
        role="baseline" if key == "pca" else "candidate",
        points=_points(key, {s: {r: each[r] for r in repeats} for s, each in sorted(scores.items())}, contest),
        knee=found.size if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
    )


def _points(key: str, scores: Mapping[int, Mapping[int, float]], contest: Contest) -> list[SizePoint]:
    means = {size: float(np.mean(list(own.values()))) for size, own in scores.items()}
    best = max(means, key=lambda size: contest.sign * means[size])
    points = []
    for size, own in scores.items():
        gap = difference(scores[best], own, contest.test_share, contest.sign)
        low, high = _around(means[best], gap, contest.sign)
        points.append(SizePoint(size=size, row=f"{key}/{size}", mean=means[size], low=low, high=high))
    return points


def _around(best: float, gap: Interval, sign: float) -> tuple[float | None, float | None]:
    if not np.isfinite(gap.low):
        return None, None
    ends = sorted((best - sign * gap.low, best - sign * gap.high))
    return ends[0], ends[1]


def _top(curve: SizeCurve, contest: Contest) -> SizePoint:
    return max(curve.points, key=lambda point: contest.sign * point.mean)


def _best(curve: SizeCurve, contest: Contest) -> float:
    return contest.sign * _top(curve, contest).mean
