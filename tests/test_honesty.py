"""The decision as a whole is honest: no winner among equals, and the loss that theory calls right is found."""

from __future__ import annotations

import importlib.util
import statistics
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

from losslens.report import decision
from losslens.report.statistics import corrected_interval

ROOT = Path(__file__).parents[1]
RECORDED = Path(__file__).parent / "data" / "aa_scores.json"
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="the experiments come with the repository only"
)
RUNS = 40


def experiment(name: str) -> Any:
    """A script of the benchmarks folder as a module."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def most_by_chance(comparisons: int, share: float = 0.05) -> int:
    """The most false verdicts that a rule with this error rate shows in 99 of 100 such experiments."""
    return int(binom.ppf(0.99, comparisons, share))


@pytest.fixture(scope="module")
def recorded() -> tuple[Any, Any, list[Any]]:
    aa = experiment("aa_experiment")
    return (aa, *aa.load(RECORDED))


class TestOneObjectiveUnderSeveralNames:
    def test_the_record_is_as_large_as_it_says(self, recorded):
        _, settings, comparisons = recorded
        assert len(comparisons) == settings.comparisons >= 200
        assert all(len(scores) == settings.names == 5 for scores in comparisons)
        assert all(len(own) == settings.repeats == 5 for scores in comparisons for own in scores)
        assert len({score for scores in comparisons for own in scores for score in own}) > 5000

    def test_five_names_have_no_sole_winner(self, recorded):
        aa, settings, comparisons = recorded
        found = aa.tally(comparisons, settings)
        print("five names:", found)
        assert found.sole_winners <= most_by_chance(found.comparisons)

    def test_five_names_are_not_told_apart(self, recorded):
        """Stricter than asked: not one of the five may be called worse than the best."""
        aa, settings, comparisons = recorded
        found = aa.tally(comparisons, settings)
        assert found.any_told_apart <= most_by_chance(found.comparisons)

    def test_two_names_have_no_sole_winner(self, recorded):
        aa, settings, comparisons = recorded
        found = aa.tally(aa.pairs(comparisons), settings)
        print("two names:", found)
        assert found.comparisons == 2 * settings.comparisons
        assert found.sole_winners <= most_by_chance(found.comparisons)

    def test_a_test_without_both_corrections_is_noticed(self, recorded, monkeypatch):
        aa, settings, comparisons = recorded
        monkeypatch.setattr(decision, "corrected_interval", lambda differences, _: corrected_interval(differences, 0.0))
        monkeypatch.setattr(decision, "holm", dict)
        found = aa.tally(comparisons, settings)
        print("without corrections:", found)
        assert found.any_told_apart > most_by_chance(found.comparisons)

    def test_a_winner_by_bars_that_do_not_touch_is_noticed(self, recorded, monkeypatch):
        """The mutant for two names: a mean difference beyond its own standard error, as figures are often read."""
        aa, settings, comparisons = recorded

        def by_bars(differences, _):
            error = statistics.stdev(differences) / len(differences) ** 0.5
            interval = corrected_interval(differences, 0.0)
            return replace(interval, p=float(abs(interval.mean) < error))

        monkeypatch.setattr(decision, "corrected_interval", by_bars)
        found = aa.tally(aa.pairs(comparisons), settings)
        print("by bars:", found)
        assert found.sole_winners > most_by_chance(found.comparisons)

    def test_trainings_of_today_vary_as_the_recorded_ones(self, recorded):
        """Were trainings to become less noisy or noisier, or better or worse, the record would have to be made anew."""
        aa, settings, comparisons = recorded
        numbers = range(6)
        live = [aa.one_comparison(settings, number) for number in numbers]
        assert aa.tally(live, settings).sole_winners <= most_by_chance(len(live))
        then = [comparisons[number] for number in numbers]
        assert level(live) == pytest.approx(level(then), abs=0.02)
        assert 0.7 < noise(live) / noise(then) < 1.4


def level(comparisons: list[Any]) -> float:
    return statistics.fmean(score for scores in comparisons for own in scores for score in own)


def noise(comparisons: list[Any]) -> float:
    """Standard deviation of the paired differences between names, pooled."""
    pairs = [pair for scores in comparisons for pair in combinations(scores, 2)]
    variances = [statistics.variance([a - b for a, b in zip(*pair, strict=True)]) for pair in pairs]
    return statistics.fmean(variances) ** 0.5


class PlantedLoss:
    """Each setting in a class of its own, so that they are spread over the processes that run the tests."""

    name: str
    least_told_apart: int

    def test_is_found(self):
        planted_experiment = experiment("planted_experiment")
        planted = planted_experiment.PLANTED[self.name]
        decisions = [planted_experiment.compare_once(planted, seed) for seed in range(RUNS)]
        found = planted_experiment.tally(planted, decisions)
        print(f"{self.name}: {found}")
        assert found.found >= 0.95 * RUNS
        assert found.told_apart >= self.least_told_apart


class TestLaplaceNoise(PlantedLoss):
    name, least_told_apart = "laplace", RUNS // 2


class TestGaussianNoise(PlantedLoss):
    name, least_told_apart = "gaussian", RUNS // 2


class TestDirectionOnly(PlantedLoss):
    name, least_told_apart = "direction", RUNS // 2


class TestNegativeBinomialCounts(PlantedLoss):
    name, least_told_apart = "counts", RUNS // 2


def test_a_planted_answer_turned_round_is_not_found():
    """The share of runs that is asked for cannot be reached by calling everything tied."""
    planted_experiment = experiment("planted_experiment")
    planted = planted_experiment.PLANTED["counts"]
    decisions = [planted_experiment.compare_once(planted, seed) for seed in range(8)]
    turned = replace(planted, right=planted.wrong, wrong=planted.right)
    assert planted_experiment.tally(turned, decisions).found < 0.95 * len(decisions)
