"""The sentence must say what the numbers say."""

import numpy as np
import pytest

from losslens.models.spec import ModelSpec, ObjectiveSpec
from losslens.report.answer import answer
from losslens.report.document import Dataset, Goal
from losslens.report.rows import Contest, judge, rows
from losslens.run.spec import Fit, SplitSpec, TransformSpec, TrialResult, TrialSpec

DATA = Dataset(
    name="cells", source="test", samples=100, features=10, kind="real", reason="", facts=[], remarks=[],
    transform="none", space="none", content_hash="x",
)  # fmt: skip
GOAL = Goal(name="magnitude", yardstick="r2", reason="", inferred=True)


def _result(key: str, repeat: int, score: float | None, status: str = "ok") -> TrialResult:
    loss, _, model = key.partition("@")
    baseline = key in ("pca", "mean_profile", "zeros")
    spec = TrialSpec(
        data="x",
        transform=TransformSpec(name="none"),
        split=SplitSpec(repeat=repeat),
        model=ModelSpec(kind=key if baseline else model or "autoencoder"),
        objective=None if baseline else ObjectiveSpec(loss=loss),
    )
    fits = () if baseline else (Fit(lr=1e-3, train=(1.0,), valid=(2.0, 1.0), best_epoch=1, chosen=True),)
    metrics = {} if score is None else {"r2": score}
    cause = "it exploded" if status != "ok" else ""
    return TrialResult(spec=spec, status=status, cause=cause, metrics=metrics, fits=fits)


def _results(means: dict[str, float], noise: float = 0.002, repeats: int = 5) -> dict:
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.05, repeats)
    return {
        key: {r: _result(key, r, mean + shared[r] + rng.normal(0, noise)) for r in range(repeats)}
        for key, mean in means.items()
    }


def _said(results: dict, order: list[str]):
    contest = Contest("r2", order, 0.3)
    decision = judge(results, contest)
    return decision, answer(results, contest, decision, GOAL, DATA)


def test_a_sole_winner_is_named_with_its_lead_over_the_next():
    results = _results({"mse": 0.5, "mae": 0.4, "pca": 0.3, "zeros": -1.0})
    decision, said = _said(results, ["mse", "mae"])
    assert decision.sole_winner
    assert said.sentence.startswith("On cells, use mse: held-out R²")
    assert "better than every other; the next, mae, is 0.1" in said.sentence
    assert "it beats PCA of the same code size by 0.2" in said.sentence


@pytest.mark.parametrize("pca", [0.3, 0.5, 0.7])
def test_it_is_one_sentence(pca):
    _, said = _said(_results({"mse": 0.5, "mae": 0.4, "pca": pca}), ["mse", "mae"])
    assert said.sentence.endswith(".")
    assert ". " not in said.sentence


def test_the_simplest_of_the_tied_is_recommended_although_another_scored_higher():
    results = _results({"mse": 0.500, "huber": 0.508, "mae": 0.3, "pca": 0.3}, noise=0.006)
    decision, said = _said(results, ["mse", "mae", "huber"])
    assert (decision.best, decision.recommended) == ("huber", "mse")
    assert "simplest of 2 that cannot be told apart from the best (huber)" in said.sentence


def test_pca_ahead_is_the_headline_and_advice_follows():
    results = _results({"mse": 0.5, "mae": 0.4, "pca": 0.6})
    _, said = _said(results, ["mse", "mae"])
    assert said.sentence.startswith("PCA of the same code size beats every network here, the closest (mse) by 0.1")
    assert "What to try" in said.advice[0]


def test_pca_ahead_of_all_plain_networks_is_the_headline_even_if_the_pca_path_wins():
    results = _results({"mse": 0.5, "mse@pca_path": 0.65, "pca": 0.6})
    _, said = _said(results, ["mse", "mse@pca_path"])
    assert said.sentence.startswith("PCA of the same code size beats every plain autoencoder here, the closest (mse)")
    assert "use mse with PCA path" in said.sentence
    assert "it beats PCA of the same code size by 0.0" in said.sentence


def test_pca_within_the_noise_is_called_so():
    results = _results({"mse": 0.5, "pca": 0.5}, noise=0.02)
    _, said = _said(results, ["mse"])
    assert "it cannot be told apart from PCA of the same code size" in said.sentence


def test_one_repeat_claims_no_certainty():
    _, said = _said(_results({"mse": 0.5, "mae": 0.4, "pca": 0.3}, repeats=1), ["mse", "mae"])
    assert "one split cannot say how sure that is" in said.sentence


def test_a_diverged_candidate_is_shown_but_never_recommended():
    results = _results({"mse": 0.4, "mae": 0.5, "pca": 0.3})
    results["mae"][3] = _result("mae", 3, None, "diverged")
    contest = Contest("r2", ["mse", "mae"], 0.3)
    decision = judge(results, contest)
    table = {row.key: row for row in rows(results, contest, decision)}
    assert decision.recommended == "mse"
    assert table["mae"].verdict == "diverged"
    assert "it exploded" in table["mae"].note


def test_nothing_finished_is_said():
    results = {"mse": {0: _result("mse", 0, None, "diverged")}}
    decision, said = _said(results, ["mse"])
    assert decision is None
    assert "nothing to recommend" in said.sentence


@pytest.mark.parametrize("key", ["pca", "mae"])
def test_differences_are_paired_and_positive_for_the_worse(key):
    results = _results({"mse": 0.5, "mae": 0.4, "pca": 0.45})
    contest = Contest("r2", ["mse", "mae"], 0.3)
    row = next(row for row in rows(results, contest, judge(results, contest)) if row.key == key)
    assert row.difference.versus == "mse"
    paired = [results["mse"][r].metrics["r2"] - results[key][r].metrics["r2"] for r in range(5)]
    assert row.difference.mean == pytest.approx(np.mean(paired))
    assert row.difference.low > 0
