"""Checks of what models of counts expect: the words follow the numbers, and the numbers come from real trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.small_runs import TINY

import losslens
from losslens.data import synthetic
from losslens.measure.evidence import Evidence, Spread
from losslens.measure.generative import variance_gap, zeros_gap
from losslens.report.document import Document, Measurement, PredictiveCheck, Row
from losslens.report.predictive import POINTS, checks

RNG = np.random.default_rng(0)
MEAN, SIZE, PROFILES = RNG.lognormal(0, 1.2, 1500), 2.0, 400
COUNTS = RNG.negative_binomial(SIZE, SIZE / (SIZE + MEAN), (PROFILES, 1500))


def spread(zeros: Any, variance: Any) -> Spread:
    """Counts of a negative binomial beside what a model expects of each feature; every profile alike."""
    absent = COUNTS == 0
    return Spread(
        zeros_seen=absent.mean(0), zeros_expected=zeros, row_zeros_seen=absent.mean(1),
        row_zeros_expected=np.full(PROFILES, zeros.mean()), variance_seen=COUNTS.var(0, ddof=1),
        variance_expected=variance, mean_seen=COUNTS.mean(0),
    )  # fmt: skip


TRUE = spread((SIZE / (SIZE + MEAN)) ** SIZE, MEAN + MEAN**2 / SIZE)
POISSON = spread(np.exp(-MEAN), MEAN)
WIDE = spread((0.3 / (0.3 + MEAN)) ** 0.3, MEAN + MEAN**2 / 0.3)


def checked(expected: Spread) -> PredictiveCheck:
    arrays = {f"spread.{name}": values for name, values in vars(expected).items()}
    evidence = Evidence(np.eye(3), np.eye(3), np.zeros(3), spread=expected)
    gaps = {"zeros_gap": zeros_gap(evidence), "variance_gap": variance_gap(evidence)}
    measured = {name: Measurement(mean=gap, sd=None, values=[gap]) for name, gap in gaps.items()}
    row = Row(key="poisson", title="poisson", role="candidate", model="autoencoder", verdict="tied", repeats=[0],
              trials=[], measurements=measured)  # fmt: skip
    (found,) = checks([row], {"poisson": arrays})
    return found


def test_the_true_model_is_said_to_describe_what_was_seen():
    assert checked(TRUE).verdict.startswith("Zeros as seen (share off by 0.0")
    assert "; variances as seen" in checked(TRUE).verdict


def test_too_few_zeros_and_too_little_variance_of_a_poisson_are_said():
    assert checked(POISSON).verdict.startswith("Clearly too few zeros")
    assert "variances somewhat too small (by a factor of 1." in checked(POISSON).verdict


def test_too_many_zeros_and_too_much_variance_are_said():
    assert checked(WIDE).verdict.startswith("Clearly too many zeros")
    assert "variances far too large" in checked(WIDE).verdict


def test_chance_explains_the_gap_of_the_true_model():
    gap, chance = (float(word) for word in checked(TRUE).verdict.replace(")", " ").split() if word.startswith("0.0"))
    assert chance == pytest.approx(gap, rel=0.1)
    poisson = [float(word) for word in checked(POISSON).verdict.replace(")", " ").split() if word.startswith("0.")]
    assert poisson[0] > 4 * poisson[1]


def test_points_are_few_and_cover_the_whole_range():
    found = checked(TRUE)
    assert (found.features, found.profiles) == (1500, PROFILES)
    assert len(found.zeros_seen) == len(found.mean_seen) == len(found.variance_expected) == POINTS
    assert len(found.row_zeros_seen) == len(found.row_zeros_expected) == POINTS
    assert found.mean_seen[0] == pytest.approx(TRUE.mean_seen.min(), rel=0.01)
    assert found.mean_seen[-1] == pytest.approx(TRUE.mean_seen.max(), rel=0.01)
    seen = list(zip(TRUE.mean_seen, TRUE.zeros_seen, strict=True))
    assert all(any(abs(mean - m) <= 0.006 * m and abs(z - zero) < 0.006 for m, z in seen)
               for mean, zero in zip(found.mean_seen, found.zeros_seen, strict=True))  # fmt: skip


def test_rows_without_counts_have_no_check():
    row = Row(key="mse", title="mse", role="candidate", model="autoencoder", verdict="tied", repeats=[0], trials=[],
              measurements={})  # fmt: skip
    assert checks([row], {"mse": {"examples": np.zeros(3)}}) == []
    assert checks([row], {}) == []


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Document:
    counts = synthetic.negative_binomial_counts(samples=80, features=12)
    options = {**TINY, "losses": ["mse", "poisson"], "code_sizes": (2, 3), "models": ["autoencoder", "variational"]}
    return losslens.compare(counts.values, out=tmp_path_factory.mktemp("counts") / "out", **options).document


def test_a_comparison_checks_its_models_of_counts_at_the_size_that_is_judged(report):
    size = report.sweep.chosen
    assert {check.row for check in report.checks} == {f"poisson/{size}", f"poisson@variational/{size}"}
    for check in report.checks:
        assert (check.features, check.profiles) == (12, 16)
        assert check.verdict.endswith(".")
        gap = np.abs(np.subtract(check.zeros_seen, check.zeros_expected)).mean()
        assert gap == pytest.approx(report.row(check.row).measurements["zeros_gap"].values[0], abs=0.002)


def test_every_variational_row_has_its_weight(report):
    weights = {each.row: each.kl_weight for each in report.divergences}
    assert weights == {
        f"{loss}@variational/{size}": pytest.approx({"mse": 0.5, "poisson": 1.0}[loss])
        for loss in ("mse", "poisson")
        for size in (2, 3)
    }
    for each in report.divergences:
        assert each.kl_weight == report.row(each.row).measurements["kl_weight"].mean
        assert each.active == report.row(each.row).measurements["active_units"].mean
        assert each.code == int(each.row.rpartition("/")[2])
        assert each.collapsed == (each.active < each.code / 2)
        assert each.verdict == "near one"
