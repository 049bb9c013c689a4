"""Findings read again from a run, and remedies run as paired trials: what helps is said to, and only that."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.small_runs import call, tiny

import losslens
from losslens.data import synthetic
from losslens.data.splits import split
from losslens.faces.folder import Manifest
from losslens.measure.findings import Finding
from losslens.models.spec import ModelSpec
from losslens.report.diagnosis import Diagnosis, Proposal
from losslens.report.findings import gather
from losslens.report.remedies import Pair, judged
from losslens.run import trial as trials
from losslens.run.changed import changed, value_at
from losslens.run.spec import SplitSpec, TrainingSpec, TransformSpec, TrialResult, TrialSpec
from losslens.vocabulary.errors import BadInput, Interrupted, UnknownName

DATA = synthetic.gaussian_noise(samples=80, features=10, noise=0.3)
SLOW, FAST = 1e-7, 1e-2
REMEDY, USELESS = {"training.learning_rates": [FAST]}, {"training.patience": 100}
REPEATS = 3


def slow(spec: TrialSpec) -> Finding | None:
    """The planted diagnosis: fires on a learning rate that cannot get anywhere."""
    if spec.training is None:
        return None
    rate = spec.training.learning_rates[0]
    return Finding(name="slow_learning", verdict="act" if rate < 1e-4 else "fine", value=rate, unit="1 (rate)",
                   threshold=1e-4, epoch=1, reason="The loss hardly moved.", remedy="Raise the learning rate.",
                   change=REMEDY)  # fmt: skip


def useless(spec: TrialSpec) -> Finding | None:
    """Another, of one row, whose remedy does nothing that could be measured."""
    if spec.objective is None or spec.objective.loss != "cosine":
        return None
    return Finding(name="small_steps", verdict="watch", value=0.1, unit="steps", threshold=1.0, epoch=0, where="code",
                   reason="So it is.", remedy="Be patient.", change=USELESS)  # fmt: skip


@pytest.fixture
def diagnosing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trials that are run from now on have the planted findings and no others; the list names those that ran."""
    ran: list[str] = []
    original = trials.run_trial

    def run_trial(spec: TrialSpec, folder: Path) -> Any:
        finished = original(spec, folder)
        ran.append(spec.id)
        found = tuple(each for each in (slow(spec), useless(spec)) if each)
        return type(finished)(finished.result.model_copy(update={"findings": found}), finished.weights, finished.arrays)

    monkeypatch.setattr(trials, "run_trial", run_trial)
    return ran


def plant(run: Path, *rules: Callable[[TrialSpec], Finding | None]) -> None:
    """Write findings into the stored results, in place of whatever is there."""
    for path in run.glob("trials/*/result.json"):
        result = TrialResult.model_validate_json(path.read_bytes())
        found = tuple(each for rule in rules if (each := rule(result.spec)))
        path.write_text(result.model_copy(update={"findings": found}).model_dump_json())


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "cells.csv"
    frame = pd.DataFrame(DATA.values, columns=[f"gene{i}" for i in range(10)])
    frame.assign(kind_of=DATA.labels).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def original(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two losses trained so slowly that they learn nothing, with the findings that say so."""
    out = tmp_path_factory.mktemp("runs") / "out"
    tiny(table, out, label="kind_of", learning_rates=[SLOW], epochs=12, repeats=REPEATS, goal="magnitude")
    plant(out, slow, useless)
    return out


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "run"))


# --- reading -------------------------------------------------------------------------------------------------------


def test_findings_are_read_by_row(original):
    found = losslens.diagnose(original)
    assert {row.key for row in found.rows} == {"mse", "cosine"}
    (mse,) = [row for row in found.rows if row.key == "mse"]
    (finding,) = mse.findings
    assert (finding.verdict, finding.value, finding.repeats, finding.looked) == ("act", SLOW, [0, 1, 2], 3)
    assert [each.name for row in found.rows if row.key == "cosine" for each in row.findings] == [
        "slow_learning",
        "small_steps",
    ]
    assert "mse: act, slow learning: 1e-07, threshold 0.0001, in 3 of 3 repeats. Raise" in str(found)
    assert "<strong>Raise the learning rate.</strong>" in found._repr_html_()
    assert Diagnosis.model_validate_json(found.model_dump_json()) == found


def test_the_command_prints_value_threshold_reason_and_remedy(original):
    ended = call("diagnose", original)
    assert ended.status == 0, ended.err
    for part in ("act", "slow learning", "1e-07", "0.0001", "The loss hardly moved.", "Raise the learning rate.",
                 "small steps (code)", "0.1 steps", "in 3 of 3 repeats,", "before training"):  # fmt: skip
        assert part in ended.out


def test_json_rows_and_findings_are_chosen(original):
    ended = call("diagnose", original, "--row", "cosine", "--finding", "small_steps", "--json")
    (row,) = json.loads(ended.out)["rows"]
    assert row["key"] == "cosine"
    assert [each["name"] for each in row["findings"]] == ["small_steps"]
    assert row["findings"][0]["change"] == USELESS


def test_one_trial_is_read(original):
    first = next(path for path in original.glob("trials/*") if '"objective": {' in (path / "spec.json").read_text())
    found = losslens.diagnose(first)
    assert [row.repeats for row in found.rows] == [1]
    assert "in the one repeat" in str(found)
    with pytest.raises(BadInput, match="folder of one trial"):
        losslens.diagnose(first, attempt=True)


def test_an_unfinished_comparison_is_read_and_not_tried(run):
    (run / "results.json").unlink()
    assert {row.key for row in losslens.diagnose(run).rows} == {"mse", "cosine"}
    with pytest.raises(BadInput, match=r"without results\.json"):
        losslens.diagnose(run, attempt=True)


def test_that_nothing_went_wrong_is_said(run):
    plant(run)
    assert "recorded no findings" in call("diagnose", run).out
    plant(run, lambda spec: slow(changed(spec, REMEDY)) if spec.training else None)
    ended = call("diagnose", run)
    assert "Nothing went wrong inside: 2 things looked at, all fine." in ended.out
    assert "No finding names a change" in call("diagnose", run, "--try").out


def test_what_is_no_run_is_refused(tmp_path, original):
    file = tmp_path / "file"
    file.touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    for wrong, said in ((tmp_path / "none", "does not exist"), (file, "is a file"), (empty, "something else")):
        ended = call("diagnose", wrong)
        assert (ended.status, ended.out) == (2, "")
        assert said in ended.err
    shutil.copy(original / "run.json", empty)
    assert "no trial is finished" in call("diagnose", empty).err
    assert not list(empty.glob("t*"))


def test_unknown_rows_and_findings_are_refused(original):
    with pytest.raises(UnknownName, match="Did you mean 'mse'"):
        losslens.diagnose(original, rows=["msee"])
    with pytest.raises(UnknownName, match="Did you mean 'small_steps'"):
        losslens.diagnose(original, findings=["small_step"])


def test_a_damaged_trial_is_named_and_kept(run):
    damaged = next(run.glob("trials/*/result.json"))
    damaged.write_text("{")
    with pytest.raises(BadInput, match=damaged.parent.name):
        losslens.diagnose(run)
    assert damaged.exists()


# --- trying --------------------------------------------------------------------------------------------------------


def test_a_remedy_that_helps_is_said_to_help_with_its_interval(run, diagnosing):
    ended = call("diagnose", run, "--try", "--row", "mse", "--workers", "0")
    assert ended.status == 0, ended.err
    assert "To be tried, as 3 trials on the same splits" in ended.out
    assert "learning rates 1e-07 -> 0.01, for slow learning" in ended.out
    assert "slow learning went away (in 3 repeats before, in none after)" in ended.out
    assert "R² got better by" in ended.out
    assert len(diagnosing) == REPEATS
    told = Diagnosis.model_validate_json((run / "tried" / "diagnosis.json").read_bytes())
    (attempt,) = told.attempts
    assert (attempt.verdict, attempt.change, attempt.was["training.learning_rates"]) == ("helped", REMEDY, [SLOW])
    assert attempt.gain.low > 0
    assert sorted(attempt.trials) == sorted(diagnosing)
    assert attempt.sentence in " ".join(ended.out.split())
    assert not (run / "cache").exists()
    assert not list(run.glob("tried/*/weights.safetensors"))


def test_the_gain_is_the_corrected_interval_of_the_paired_scores(run, diagnosing):
    (attempt,) = losslens.diagnose(run, attempt=True, rows=["mse"], workers=0).attempts
    after = [json.loads((run / "tried" / name / "result.json").read_bytes()) for name in attempt.trials]
    everything = [json.loads(path.read_bytes()) for path in run.glob("trials/*/result.json")]
    before = {each["spec"]["split"]["repeat"]: each for each in everything
              if each["spec"]["objective"] and each["spec"]["objective"]["loss"] == "mse"}  # fmt: skip
    d = [each["metrics"]["r2"] - before[each["spec"]["split"]["repeat"]]["metrics"]["r2"] for each in after]
    reach = stats.t.ppf(0.975, 2) * math.sqrt((1 / 3 + 0.2 / 0.64) * np.var(d, ddof=1))
    assert attempt.gain.mean == pytest.approx(np.mean(d))
    assert (attempt.gain.low, attempt.gain.high) == pytest.approx((np.mean(d) - reach, np.mean(d) + reach))
    for each in after:  # nothing but the change differs
        spec, was = each["spec"], before[each["spec"]["split"]["repeat"]]["spec"]
        assert spec["training"].pop("learning_rates") == [FAST]
        assert was["training"].pop("learning_rates") == [SLOW]
        assert spec == was


def test_the_nominal_share_is_that_of_the_splits():
    spec = SplitSpec(repeat=0)
    drawn = split(1000, None, None, repeat=0, seed=0, test=spec.test, valid=spec.valid)
    assert len(drawn.test) / len(drawn.train) == pytest.approx(spec.test / (1 - spec.test - spec.valid), rel=0.01)


def test_a_useless_change_is_said_not_to_help(run, diagnosing):
    found = losslens.diagnose(run, attempt=True, findings=["small_steps"], workers=0)
    (attempt,) = found.attempts
    assert attempt.row == "cosine"
    assert attempt.verdict in ("not shown", "hurt")
    assert "small steps (code) stayed (in 3 repeats before, in 3 of 3 after)" in attempt.sentence
    assert attempt.answered[0].gone is False
    assert "got better" not in attempt.sentence


def test_the_most_pressing_is_tried_first_and_each_change_once(run, diagnosing):
    plant(run, slow, lambda spec: slow(spec) and slow(spec).model_copy(update={"name": "also_slow"}), useless)
    announced: list[Any] = []
    found = losslens.diagnose(
        run, True, rows=["cosine"], workers=0, announce=lambda told, proposals: announced.extend(proposals)
    )
    assert [attempt.change for attempt in found.attempts] == [REMEDY, USELESS]
    assert [each.change for each in announced] == [REMEDY, USELESS]
    assert {each.name for each in found.attempts[0].answered} == {"slow_learning", "also_slow"}
    assert "also slow (in 3 repeats before) was not looked at under the change" in found.attempts[0].sentence
    assert len(diagnosing) == 2 * REPEATS
    assert {each.gain.p_holm >= each.gain.p for each in found.attempts} == {True}


def test_what_cannot_be_tried_is_told(run, diagnosing):
    def with_change(change: dict[str, Any], name: str) -> Callable[[TrialSpec], Finding | None]:
        return lambda spec: slow(spec) and slow(spec).model_copy(update={"change": change, "name": name})

    plant(run, with_change({"training.speed": 3}, "a"), with_change({"split.seed": 1}, "b"),
          with_change({"training.learning_rates": [SLOW]}, "c"))  # fmt: skip
    found = losslens.diagnose(run, attempt=True, rows=["mse"], workers=0)
    assert found.attempts == []
    assert [line.partition(":")[2] for line in found.not_tried] == [
        " the remedy of a cannot be tried: expected a trial that can be run, found training.speed: Extra inputs are "
        "not permitted.",
        " the remedy of b cannot be tried: expected a change of model, objective, method, training, found split.seed.",
        " the remedy of c changes nothing (learning rates 1e-07 -> 1e-07).",
    ]
    assert not diagnosing
    assert "Not tried" in call("diagnose", run, "--try", "--row", "mse").out


def test_an_interrupted_attempt_goes_on_and_a_finished_one_needs_no_data(run, diagnosing, monkeypatch):
    counted = trials.run_trial

    def stops(spec: TrialSpec, folder: Path) -> Any:
        if len(diagnosing) == 2:
            raise KeyboardInterrupt
        return counted(spec, folder)

    with monkeypatch.context() as patch:
        patch.setattr(trials, "run_trial", stops)
        with pytest.raises(Interrupted, match="2 of 3 trials are finished"):
            losslens.diagnose(run, attempt=True, rows=["mse"], workers=0)
    found = losslens.diagnose(run, attempt=True, rows=["mse"], workers=0)
    assert len(diagnosing) == len(set(diagnosing)) == REPEATS
    monkeypatch.setattr("losslens.faces.origin.read", None)
    assert losslens.diagnose(run, attempt=True, rows=["mse"], workers=0) == found
    assert len(diagnosing) == REPEATS


def test_a_worker_gives_what_this_process_gives(run, tmp_path):
    other = Path(shutil.copytree(run, tmp_path / "other"))
    one, two = (losslens.diagnose(each, True, rows=["mse"], workers=n) for each, n in ((run, 0), (other, 1)))
    assert one.attempts[0].gain == two.attempts[0].gain


# --- the data again ------------------------------------------------------------------------------------------------


def test_the_run_says_how_its_data_were_asked_for(original, table):
    source = Manifest.model_validate_json((original / "run.json").read_bytes()).source
    assert (source.data, source.label, source.transpose) == (str(table), "kind_of", False)


def test_data_in_memory_are_asked_for_and_others_refused(run, table, diagnosing):
    manifest = json.loads((run / "run.json").read_bytes())
    del manifest["source"]  # as before runs said it, and as of data in memory
    (run / "run.json").write_text(json.dumps(manifest))
    ended = call("diagnose", run, "--try", "--row", "mse", "--workers", "0")
    assert ended.status == 2
    assert "given them in memory" in ended.err
    assert "--data" in ended.err
    with pytest.raises(BadInput, match="others"):
        losslens.diagnose(run, attempt=True, data=table, label="", workers=0)
    with pytest.raises(BadInput, match="others"):
        losslens.diagnose(run, attempt=True, data=DATA.values + 1, label=DATA.labels, workers=0)
    assert not diagnosing
    assert not (run / "tried").exists()
    found = losslens.diagnose(run, attempt=True, rows=["mse"], data=DATA.values, label=DATA.labels, workers=0)
    assert found.attempts[0].verdict == "helped"


def test_data_that_have_moved_are_asked_for(run, table, tmp_path, diagnosing):
    manifest = json.loads((run / "run.json").read_bytes())
    manifest["source"]["data"] = str(tmp_path / "gone.csv")
    (run / "run.json").write_text(json.dumps(manifest))
    ended = call("diagnose", run, "--try", "--row", "mse", "--workers", "0")
    assert ended.status == 2
    assert "--data" in ended.err
    ended = call("diagnose", run, "--try", "--row", "mse", "--workers", "0", "--data", table, "--json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["attempts"][0]["verdict"] == "helped"  # the label column is still known


# --- the pieces ----------------------------------------------------------------------------------------------------

SPEC = TrialSpec(data="d", transform=TransformSpec(name="none"), split=SplitSpec(repeat=0), model=ModelSpec(),
                 training=TrainingSpec(), objective={"loss": "mse", "terms": [{"loss": "l2"}]})  # fmt: skip


def test_a_change_reaches_any_field_and_nothing_else():
    after = changed(SPEC, {"objective.terms.0.weight": 0.5, "model.dropout": 0.1, "objective.options.scale": 2.0})
    assert (after.objective.terms[0].weight, after.model.dropout, after.objective.options) == (0.5, 0.1, {"scale": 2.0})
    undone = changed(after, {"objective.terms.0.weight": 1.0, "model.dropout": 0.0, "objective.options": {}})
    assert undone == SPEC
    assert undone.id == SPEC.id != after.id
    assert value_at(after, "objective.terms.0.weight") == 0.5
    assert value_at(SPEC, "objective.options.scale") is None


@pytest.mark.parametrize("path", ["objective.terms.1.weight", "model", "training.corruption.name", "data", "seed",
                                  "transform.name", "model.kind.letter"])  # fmt: skip
def test_a_path_that_leads_nowhere_or_unpairs_is_refused(path):
    with pytest.raises(BadInput):
        changed(SPEC, {path: 1})


def test_a_value_that_no_trial_may_have_is_refused():
    with pytest.raises(BadInput, match="dropout"):
        changed(SPEC, {"model.dropout": 1.5})


def results(scores: list[float | None], **fields: Any) -> dict[int, TrialResult]:
    """By repeat; None for a diverged one."""
    return {
        repeat: TrialResult(
            spec=SPEC.model_copy(update={"split": SplitSpec(repeat=repeat)}),
            status="diverged" if score is None else "ok", metrics={} if score is None else {"r2": score}, **fields,
        )
        for repeat, score in enumerate(scores)
    }  # fmt: skip


def outcome(before: list[float | None], after: list[float | None]) -> Any:
    proposal = Proposal(row="mse", title="mse", change={"model.dropout": 0.1}, was={"model.dropout": 0.0}, answers=[],
                        repeats=list(range(len(before))))  # fmt: skip
    return judged([Pair(proposal, results(before), results(after))], "r2")[0]


@pytest.mark.parametrize(
    ("before", "after", "verdict", "said"),
    [
        ([0.1, 0.2, 0.3], [0.5, 0.61, 0.7], "helped", "R² got better by 0.403"),
        ([0.5, 0.61, 0.7], [0.1, 0.2, 0.3], "hurt", "R² got worse by 0.403"),
        ([0.1, 0.2, 0.3], [0.2, 0.1, 0.35], "not shown", "did not help measurably"),
        ([0.1], [0.9], "not judged", "one split cannot say"),
        ([None, None], [0.5, 0.6], "trains now", "diverged in 2 of 2 repeats before and in 0 of 2 after"),
        ([0.1, 0.2, 0.3], [0.5, None, 0.7], "hurt", "diverged in 0 of 3 repeats before and in 1 of 3 after"),
        ([None, None], [None, None], "not judged", "cannot be compared"),
    ],
)  # fmt: skip
def test_every_outcome_has_its_verdict(before, after, verdict, said):
    attempt = outcome(before, after)
    assert attempt.verdict == verdict
    assert said in attempt.sentence
    assert (attempt.gain is None) == (not [b for b, a in zip(before, after, strict=True) if b and a])


def test_a_gain_that_is_one_of_many_is_told_as_such():
    proposal = Proposal(row="mse", title="mse", change={"model.dropout": 0.1}, was={}, answers=[], repeats=[0, 1, 2])
    scored = [[0.3, 0.45, 0.6], *([0.1, 0.21, 0.2], [0.2, 0.1, 0.3], [0.11, 0.2, 0.29])]
    pairs = [Pair(proposal, results([0.1, 0.2, 0.3]), results(after)) for after in scored]
    first, *others = judged(pairs, "r2")
    (alone,) = judged(pairs[:1], "r2")
    assert (alone.verdict, first.verdict) == ("helped", "not shown")
    assert alone.gain.p < 0.05 <= first.gain.p_holm == pytest.approx(4 * first.gain.p)
    assert "yet of 4 remedies one may do so by chance" in first.sentence
    assert all("did not help measurably" in each.sentence for each in others)


def test_a_finding_that_is_looked_at_in_some_repeats_only_is_not_called_gone():
    fine = Finding(name="a", verdict="fine", value=0, unit="1", threshold=1, epoch=0, reason="", remedy="")
    bad = fine.model_copy(update={"verdict": "act"})
    before = results([0.1, 0.2], findings=(bad,))
    after = results([0.1, 0.2], findings=(fine,)) | {1: results([0.1, 0.2])[1]}
    proposal = Proposal(row="mse", title="mse", change={}, was={}, answers=gather(before.values()), repeats=[0, 1])
    (attempt,) = judged([Pair(proposal, before, after)], "r2")
    assert attempt.answered[0].gone is None
    assert "arose in none of the 1 repeats in which it was looked at again" in attempt.sentence
