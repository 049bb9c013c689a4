"""The sentence must say what the numbers say."""

import numpy as np
import pytest

from losslens.models.spec import ModelSpec, ObjectiveSpec
from losslens.report.answer import Beside, answer
from losslens.report.document import Dataset, Divergence, Goal
from losslens.report.rows import Contest, judge, parted, rows
from losslens.report.sweep import at_size, sweep
from losslens.run.spec import Fit, SplitSpec, TransformSpec, TrialResult, TrialSpec

DATA = Dataset(
    name="cells", source="test", samples=100, features=10, kind="real", reason="", facts=[], remarks=[],
    transform="none", space="none", content_hash="x",
)  # fmt: skip
GOAL = Goal(name="magnitude", yardstick="r2", reason="", inferred=True)


def _result(key: str, repeat: int, score: float | None, status: str = "ok") -> TrialResult:
    key, size = parted(key)
    loss, _, model = key.partition("@")
    baseline = key in ("pca", "mean_profile", "zeros")
    spec = TrialSpec(
        data="x",
        transform=TransformSpec(name="none"),
        split=SplitSpec(repeat=repeat),
        model=ModelSpec(kind=key if baseline else model or "autoencoder", code=size or 32),
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


# ---- code sizes


def _swept(hidden: dict[str, float], r2: dict[str, float], order: list[str], repeats: int = 5):
    """Answer and table of a comparison of code sizes, judged by hidden values and compared by R²."""
    results = _results(r2, repeats=repeats)
    for key, mean in hidden.items():
        for repeat, result in results[key].items():
            result.metrics["hidden_r2"] = mean + 0.001 * ((repeat * 7 + len(key)) % 5)
    contest = Contest("r2", order, 0.3)
    sizes = sweep(results, contest)
    judged, at = at_size(results, contest, sizes.chosen)
    decision = judge(judged, at)
    said = answer(judged, at, decision, GOAL, DATA, Beside(sizes))
    return sizes, said, {row.key: row for row in rows(results, at, decision)}


R2 = {"mse/4": 0.5, "mse/8": 0.7, "mse/16": 0.9, "mae/4": 0.3, "mae/8": 0.4, "mae/16": 0.8,
      "pca/4": 0.4, "pca/8": 0.6, "pca/16": 0.95, "zeros": -1.0}  # fmt: skip
KNEE_AT_8 = {"mse/4": 0.4, "mse/8": 0.6, "mse/16": 0.5, "mae/4": 0.2, "mae/8": 0.3, "mae/16": 0.45}


def test_losses_are_compared_at_the_knee_and_with_pca_of_that_size():
    sizes, said, table = _swept(KNEE_AT_8, R2, ["mse", "mae"])
    assert (sizes.chosen, sizes.leader, sizes.yardstick) == (8, "mse", "hidden_r2")
    assert said.sentence.startswith("On cells, with a code of 8, use mse: held-out R² 0.7")
    assert "the next, mae, is 0.29" in said.sentence
    assert "it beats PCA of the same code size by 0.09" in said.sentence
    assert said.sentence.endswith("the knee lies at a code size of 8 (8 in all resampled splits).")
    assert any("compared at a code size of 8" in line for line in said.advice)
    assert table["mse/8"].verdict == "recommended"
    assert table["mse/16"].verdict == "other size"
    assert table["mse/16"].difference is None
    assert table["pca/8"].difference.versus == "mse/8"
    assert table["pca/16"].difference is None


def test_a_pca_that_is_ahead_at_another_size_alone_is_not_ahead():
    _, said, _ = _swept(KNEE_AT_8, {**R2, "pca/16": 2.0}, ["mse", "mae"])
    assert "beats every network" not in said.sentence


def test_a_curve_that_still_rises_has_no_knee_and_longer_codes_are_advised():
    _, said, _ = _swept({**KNEE_AT_8, "mse/16": 0.8}, R2, ["mse", "mae"])
    assert said.sentence.endswith("the curve over code sizes has no knee: the longest code, 16, still gains.")
    assert any("--code-size 16,32" in line for line in said.advice)


def test_the_knee_of_another_candidate_is_named():
    sizes, said, _ = _swept({**KNEE_AT_8, "mae/8": 0.9}, {**R2, "mae/8": 0.1}, ["mse", "mae"])
    assert sizes.leader == "mae"
    assert "use mse" in said.sentence
    assert "the knee, of mae, lies at a code size of 8" in said.sentence


def test_the_interval_of_the_knee_is_said():
    sizes, _, _ = _swept(KNEE_AT_8, R2, ["mse", "mae"])
    curve = sizes.curves[0].model_copy(update={"low": 4, "high": 16})
    results = _results(R2)
    judged, at = at_size(results, Contest("r2", ["mse", "mae"], 0.3), 8)
    wider = sizes.model_copy(update={"curves": [curve, *sizes.curves[1:]]})
    said = answer(judged, at, judge(judged, at), GOAL, DATA, Beside(wider))
    assert said.sentence.endswith("the knee lies at a code size of 8 (between 4 and 16).")


def test_one_split_names_the_best_size_and_claims_no_more():
    sizes, said, _ = _swept(KNEE_AT_8, R2, ["mse", "mae"], repeats=1)
    assert sizes.curves[0].knee is None
    assert sizes.chosen == 8
    assert said.sentence.endswith("the best code size is 8; one split cannot say how sure that is.")


def test_a_size_that_diverged_or_was_hardly_run_is_no_part_of_the_curve():
    results = _results(R2)
    results["mse/4"][3] = _result("mse/4", 3, None, "diverged")
    results["mse/16"] = {0: results["mse/16"][0]}
    found = sweep(results, Contest("r2", ["mse", "mae"], 0.3))
    assert [point.size for point in found.curve("mse").points] == [8]
    assert found.curve("mse").knee is None
    assert found.yardstick == "r2"  # nothing has hidden values here


def test_without_a_candidate_nothing_is_recommended_and_pca_gives_the_size():
    results = {key: own for key, own in _results(R2).items() if key.startswith("pca")}
    found = sweep(results, Contest("r2", ["mse"], 0.3))
    assert found.leader == "pca"
    assert found.chosen == 16


# ---- posteriors


def _advised(*divergences: Divergence) -> str:
    results = _results({"mse": 0.5, "mae": 0.4, "pca": 0.3})
    contest = Contest("r2", ["mse", "mae"], 0.3)
    beside = Beside(None, divergences)
    return " ".join(answer(results, contest, judge(results, contest), GOAL, DATA, beside).advice)


def _divergence(**changes: object) -> Divergence:
    usual = {"row": "mse@variational", "kl_weight": 0.5, "active": 30.0, "code": 32, "verdict": "near one",
             "collapsed": False}  # fmt: skip
    return Divergence.model_validate({**usual, **changes})


def test_a_weight_near_one_and_a_code_in_use_need_no_word():
    assert "KL" not in _advised(_divergence())
    assert "divergence" not in _advised(_divergence())


@pytest.mark.parametrize(("weight", "verdict", "shown"), [(0.002, "weak", "0.002"), (40.0, "strong", "40.000")])
def test_a_weight_far_from_one_is_warned_of(weight, verdict, shown):
    said = _advised(_divergence(kl_weight=weight, verdict=verdict))
    assert f"mse, variational, {shown}" in said
    assert "--beta" in said


def test_a_collapsed_posterior_is_warned_of_with_what_to_try():
    said = _advised(_divergence(active=3.0, collapsed=True))
    assert "mse, variational, 3 of 32" in said
    assert "--beta" in said
    assert "variational_free_bits" in said
