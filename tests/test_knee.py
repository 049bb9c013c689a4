"""The knee against a brute-force reading of its rule, and on data whose rank is known."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import losslens
from losslens.data import synthetic
from losslens.report import knee as module
from losslens.report.document import Document
from losslens.report.knee import Knee, knee

Scores = dict[int, dict[int, float]]
SHARE = 0.2 / 0.64


def rising(seed: int, repeats: int = 5, sizes: tuple[int, ...] = (2, 4, 8, 16)) -> Scores:
    """Scores that rise and flatten; splits differ by more than sizes do, as they do in fact."""
    rng = np.random.default_rng(seed)
    shared, noise = rng.normal(0, 0.05, repeats), rng.normal(0, 0.01, (len(sizes), repeats))
    means = 0.8 - 0.3 / np.array(sizes) ** rng.uniform(0.5, 2)
    return {size: dict(enumerate(float(v) for v in means[place] + shared + noise[place]))
            for place, size in enumerate(sizes)}  # fmt: skip


# ---- the rule, read anew: loops, no arrays


def error(first: list[float], second: list[float]) -> float:
    """Standard error of a paired difference over splits that share samples."""
    return math.sqrt(
        (1 / len(first) + SHARE) * statistics.variance([a - b for a, b in zip(first, second, strict=True)])
    )


def by_hand(scores: Scores, *, spread: Callable[[list[float], list[float]], float] = error) -> Knee:
    """Every ordered way to draw the splits has one chance."""
    sizes, repeats = sorted(scores), sorted(next(iter(scores.values())))
    table = {size: [scores[size][repeat] for repeat in repeats] for size in sizes}

    def first(drawn: list[int]) -> int:
        means = {size: statistics.fmean(table[size][place] for place in drawn) for size in sizes}
        best = max(sizes, key=lambda size: means[size])
        return next(s for s in sizes if means[best] - means[s] <= (spread(table[best], table[s]) if s != best else 0.0))

    draws = max(1, round(1 / (1 / len(repeats) + SHARE)))
    found = Counter(first(list(drawn)) for drawn in product(range(len(repeats)), repeat=draws))
    low = next(s for s in sizes if sum(found[t] for t in sizes if t <= s) > 0.025 * found.total() + 1e-9)
    high = next(s for s in sizes if sum(found[t] for t in sizes if t <= s) >= 0.975 * found.total() - 1e-9)
    return Knee(first(list(range(len(repeats)))), low, high)


@pytest.mark.parametrize("repeats", [2, 3, 5, 10])
def test_it_is_what_the_rule_says(repeats):
    for seed in range(25):
        scores = rising(seed, repeats)
        assert knee(scores, SHARE, 1.0) == by_hand(scores)


def unpaired(first: list[float], second: list[float]) -> float:
    return math.sqrt((1 / len(first) + SHARE) * (statistics.variance(first) + statistics.variance(second)))


MUTANTS = {
    "splits not paired": unpaired,
    "splits taken as independent": lambda a, b: error(a, b) * math.sqrt(1 / len(a) / (1 / len(a) + SHARE)),
    "the best size alone": lambda a, b: 0.0,
    "a standard deviation": lambda a, b: statistics.stdev([x - y for x, y in zip(a, b, strict=True)]),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_another_rule_is_noticed(mutant):
    assert any(knee(rising(seed), SHARE, 1.0) != by_hand(rising(seed), spread=MUTANTS[mutant]) for seed in range(25))


def test_lower_may_be_better():
    scores = rising(3)
    turned = {size: {repeat: -score for repeat, score in own.items()} for size, own in scores.items()}
    assert knee(turned, SHARE, -1.0) == knee(scores, SHARE, 1.0)


def test_what_single_precision_cannot_tell_apart_is_equal():
    exact = {size: {repeat: 1.0 - (size == 2) * 1e-8 * (1 + repeat % 2) for repeat in range(4)} for size in (1, 2, 4)}
    assert knee(exact, SHARE, 1.0) == Knee(1, 1, 1)
    coarse = {size: dict.fromkeys(range(4), 1.0 - (size == 1) * 1e-3) for size in (1, 2, 4)}
    assert knee(coarse, SHARE, 1.0) == Knee(2, 2, 2)


def test_only_splits_that_all_sizes_have_count():
    scores = rising(5)
    assert knee({**scores, 16: {r: s for r, s in scores[16].items() if r != 2}}, SHARE, 1.0) == by_hand(
        {size: {r: s for r, s in own.items() if r != 2} for size, own in scores.items()}
    )


@pytest.mark.parametrize("scores", [{}, {4: {0: 1.0, 1: 2.0}}, {4: {0: 1.0}, 8: {0: 2.0}}, {4: {0: 1.0}, 8: {1: 2.0}}])
def test_one_size_or_one_split_has_no_knee(scores):
    assert knee(scores, SHARE, 1.0) is None


def test_many_resamples_are_drawn_at_random_and_agree(monkeypatch):
    exact = [knee(rising(seed, 8), 0.0, 1.0) for seed in range(10)]
    monkeypatch.setattr(module, "MOST_RESAMPLES", 4000)
    assert math.comb(15, 8) > 4000
    assert [knee(rising(seed, 8), 0.0, 1.0) for seed in range(10)] == exact


def test_resampled_means_spread_as_the_corrected_interval_says():
    """The mean of three drawn splits varies by a third of the variance of one."""
    scores = np.random.default_rng(0).normal(size=8)
    weights, chances = module._resamples(8, 3)
    means = weights @ scores
    centre = float(chances @ means)
    assert float(chances.sum()) == pytest.approx(1.0)
    assert centre == pytest.approx(scores.mean())
    assert float(chances @ (means - centre) ** 2) == pytest.approx(scores.var() / 3)


# ---- on data with a known rank

SEEDS = range(10)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """Ten data sets of rank four in noise of a quarter of the variance of the signal, each under four code sizes."""
    return [_compared(synthetic.gaussian_noise(seed=seed), tmp_path_factory.mktemp("rank") / "out") for seed in SEEDS]


def _compared(profiles: Any, out: Any, **options: Any) -> Document:
    return losslens.compare(
        profiles.values, kind="real", losses=["mse"], models=["pca_path"], code_sizes=(2, 4, 8, 16), hidden=(8,),
        repeats=4, epochs=2, learning_rates=[1e-3], precision="fp32", workers=0, out=out, **options,
    ).document  # fmt: skip


def test_the_knee_lands_on_the_rank(compared):
    chosen = [report.sweep.chosen for report in compared]
    assert chosen.count(4) >= 9, chosen
    assert all(report.recommended == f"mse@pca_path/{size}" for report, size in zip(compared, chosen, strict=True))


def test_that_of_pca_does_too_and_intervals_hold_the_rank(compared):
    curves = [curve for report in compared for curve in report.sweep.curves]
    assert {curve.key for curve in curves} == {"mse@pca_path", "pca"}
    assert [curve.knee for curve in curves].count(4) >= 18
    assert sum(curve.low <= 4 <= curve.high for curve in curves) >= 19


def test_reconstruction_alone_never_has_enough(compared):
    """Why sizes are not judged by what decides among losses: a longer code copies more noise."""
    for report in compared:
        r2 = {size: dict(enumerate(report.row(f"pca/{size}").measurements["r2"].values)) for size in (2, 4, 8, 16)}
        assert knee(r2, SHARE, 1.0).size == 16


def test_losses_are_compared_at_the_chosen_size_only(compared):
    report = compared[0]
    verdicts = {row.key: row.verdict for row in report.rows}
    assert verdicts["mse@pca_path/4"] == "recommended"
    assert verdicts["pca/4"] == "baseline"
    assert {verdicts[f"{key}/{size}"] for key in ("mse@pca_path", "pca") for size in (2, 8, 16)} == {"other size"}
    assert {row.key for row in report.rows if row.difference} == {"pca/4", "mean_profile", "zeros"}
    assert {key for example in report.examples for key in example.reconstructions} == {
        "mse@pca_path/4", "pca/4", "mean_profile", "zeros",
    }  # fmt: skip
