"""A comparison end to end on small data: what goes in, what comes out, and that nothing is dropped silently."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.small_runs import TINY, tiny, without_times

import losslens
from losslens.data import synthetic
from losslens.data.splits import split
from losslens.faces.compare import seconds
from losslens.faces.progress import Quiet
from losslens.report.document import Document
from losslens.run.session import Clock
from losslens.run.store import Store
from losslens.vocabulary.errors import BadInput

DATA = synthetic.gaussian_noise(samples=80, features=10, noise=0.3)
COUNTS = synthetic.negative_binomial_counts(samples=80, features=10)
BASELINES = {"pca", "mean_profile", "zeros"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny(DATA.values, tmp_path_factory.mktemp("run") / "out", label=DATA.labels)


# --- what goes in --------------------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[Any], Any]] = {
    "array": np.asarray,
    "integers": lambda values: values.astype(np.int64),
    "sparse": sp.csr_matrix,
    "sparse by columns": sp.csc_array,
    "table": lambda values: pd.DataFrame(values, columns=[f"gene{i}" for i in range(values.shape[1])]),
    "annotated": lambda values: anndata.AnnData(sp.csr_matrix(values)),
}


def content(found: Any) -> dict[str, Any]:
    """A document without times and names of samples, features and data."""
    whole = without_times(json.loads(found.document.model_dump_json()))
    for example in whole["examples"]:
        example.pop("sample")
        example.pop("features")
    whole["sentence"] = whole["sentence"].replace(f"n {whole['dataset']['name']},", "n it,")
    whole.pop("title")
    facts = {name: whole["dataset"][name] for name in ("content_hash", "classes", "kind", "facts")}
    return {**whole, "dataset": facts}


@pytest.fixture(scope="module")
def from_array(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return content(tiny(COUNTS.values, tmp_path_factory.mktemp("run") / "out", losses=["mse", "negative_binomial"]))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_numbers_gives_the_same_document(tmp_path, from_array, form):
    given = FORMS[form](COUNTS.values)
    assert content(tiny(given, tmp_path / "out", losses=["mse", "negative_binomial"])) == from_array


def test_other_numbers_give_another_document(tmp_path, from_array):
    changed = COUNTS.values.copy()
    changed[0, 0] += 1
    assert content(tiny(changed, tmp_path / "out", losses=["mse", "negative_binomial"])) != from_array


def test_columns_of_a_table_become_features_labels_and_groups(tmp_path):
    frame = pd.DataFrame(DATA.values, columns=[f"gene{i}" for i in range(10)])
    donors = np.repeat(["a", "b", "c", "d", "e"], 16)
    frame = frame.assign(cell_type=DATA.labels, donor=donors)
    document = tiny(frame, tmp_path / "out", group="donor").document
    assert document.dataset.features == 10
    assert sum(document.dataset.classes.values()) == 80
    assert document.dataset.groups == 5
    assert "knn_accuracy" in document.row("mse").measurements


def test_groups_are_kept_together(tmp_path):
    donors = np.repeat(["a", "b", "c", "d", "e"], 16)
    document = tiny(DATA.values, tmp_path / "out", group=donors).document
    splits = next(setting.value for setting in document.settings if setting.name == "Splits")
    assert "whole groups kept together" in splits
    parts = split(80, None, donors, repeat=0, seed=0)
    assert len(set(donors[parts.test])) * 16 == len(parts.test)
    shown = [int(example.sample.removeprefix("sample ")) - 1 for example in document.examples]
    assert shown
    assert set(shown) <= set(parts.test)


# --- what comes out ------------------------------------------------------------------------------------------------


def test_the_folder_holds_everything(found):
    folder = found.folder
    assert {path.name for path in folder.iterdir()} == {"run.json", "report.html", "results.json", "model", "trials"}
    assert {path.name for path in (folder / "model").iterdir()} == {"model.json", "weights.safetensors"}
    assert Document.model_validate_json((folder / "results.json").read_bytes()) == found.document
    assert {trial for row in found.document.rows for trial in row.trials} == {
        path.name for path in (folder / "trials").iterdir()
    }
    assert (folder / "report.html").stat().st_size < 2.2e6
    assert found.document.title in (folder / "report.html").read_text(encoding="utf-8")


def test_only_the_recommended_trial_keeps_its_weights(found):
    kept = {path.parent.name for path in (found.folder / "trials").glob("*/weights.safetensors")}
    assert kept == {found.document.row(found.recommended).trials[0]}


def test_every_row_has_every_repeat_and_the_yardstick(found):
    document = found.document
    assert {row.key for row in document.rows} == {"mse", "cosine", *BASELINES}
    assert [row.key for row in document.rows if row.verdict == "recommended"] == [document.recommended]
    for row in document.rows:
        assert row.repeats == [0, 1]
        assert len(row.measurements[document.goal.yardstick].values) == 2
        assert row.role == ("baseline" if row.key in BASELINES else "candidate")


def test_candidates_of_a_repeat_start_from_the_same_weights(tmp_path):
    document = tiny(DATA.values, tmp_path / "out", losses=["mse", "mae", "mse+tanh"], kind="real").document
    losses = {row.key: [curve.valid[0] for curve in row.curves] for row in document.rows if row.role == "candidate"}
    assert set(losses) == {"mse", "mae"}
    parts, values = split(80, None, None, repeat=0, seed=0), DATA.values
    mean = values[parts.train].mean(0)
    # nothing is trained yet: both start near the mean profile, from equal weights
    assert losses["mse"][0] == pytest.approx(np.square(values[parts.valid] - mean).mean(), rel=0.3)
    assert losses["mae"][0] == pytest.approx(np.abs(values[parts.valid] - mean).mean(), rel=0.3)


def test_it_shows_itself(found):
    shown = found._repr_html_()
    assert found.sentence.split(",")[0] in shown
    assert "<script" not in shown
    assert str(found) == found.sentence == found.document.sentence
    assert list(found.table.index) == [row.key for row in found.document.rows]
    yardstick = found.document.goal.yardstick
    assert found.table.loc["mse", yardstick] == found.document.row("mse").measurements[yardstick].mean


def test_its_model_reconstructs_as_the_report_says(found):
    codes = found.model.transform(DATA.values)
    assert codes.shape == (80, 2)
    document = found.document
    example = document.examples[0]
    row = int(example.sample.removeprefix("sample ")) - 1
    columns = [int(name.removeprefix("feature ")) - 1 for name in example.features]
    rebuilt = found.model.reconstruct(DATA.values, space="working")[row, columns]
    np.testing.assert_allclose(rebuilt, example.reconstructions[document.recommended], rtol=1e-3, atol=1e-6)


def test_a_held_out_score_can_be_computed_again(found):
    """R2 of PCA from scikit-learn, on the split of the report."""
    from sklearn.decomposition import PCA

    parts = split(80, DATA.labels, None, repeat=0, seed=0)
    mean, scale = DATA.values[parts.train].mean(0), DATA.values[parts.train].std(0)
    assert "standard deviations" in found.document.dataset.space
    train, test = ((DATA.values[part].astype(float) - mean) / scale for part in (parts.train, parts.test))
    pca = PCA(2).fit(train)
    residual = np.square(test - pca.inverse_transform(pca.transform(test))).sum()
    expected = 1 - residual / np.square(test - train.mean(0)).sum()
    assert found.document.row("pca").measurements["r2"].values[0] == pytest.approx(expected, abs=1e-5)


# --- who runs it ---------------------------------------------------------------------------------------------------


def test_processes_give_what_one_process_gives(tmp_path):
    """Bit for bit, also with matrices large enough for a numeric library to use several threads."""
    data = synthetic.negative_binomial_counts(samples=300, features=260)
    options = {"losses": ["cosine", "negative_binomial"], "code": 8, "hidden": [64], "repeats": 1}
    serial = tiny(data.values, tmp_path / "serial", workers=0, **options)
    parallel = tiny(data.values, tmp_path / "parallel", workers=2, **options)
    for row in serial.document.rows:
        assert parallel.document.row(row.key).measurements == row.measurements
    assert same_files(serial.folder, parallel.folder)


def same_files(left: Path, right: Path) -> bool:
    """Whether results are equal apart from times, and the model's weights byte for byte."""
    results = [without_times(json.loads((folder / "results.json").read_bytes())) for folder in (left, right)]
    weights = [(folder / "model" / "weights.safetensors").read_bytes() for folder in (left, right)]
    return results[0] == results[1] and weights[0] == weights[1]


def test_a_plain_script_needs_no_main_guard(tmp_path):
    script = tmp_path / "plain.py"
    script.write_text(
        "import numpy as np, losslens\n"
        "print('imported')\n"
        "X = np.random.default_rng(0).normal(size=(60, 8))\n"
        "found = losslens.compare(X, losses=['mse'], repeats=1, epochs=1, code=2, hidden=[8], workers=2, out='out')\n"
        "print(found)\n"
    )
    ended = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.count("imported") == 1
    assert "mse" in ended.stdout.splitlines()[-1]


# --- what is not run, and why --------------------------------------------------------------------------------------


class Limited(Clock):
    """A clock that allows a number of trials."""

    seen = 0

    def saw(self, seconds: float) -> None:
        super().saw(seconds)
        self.seen += 1

    def may_start(self) -> bool:
        return self.seen < 7


def test_what_a_budget_does_not_allow_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("losslens.faces.compare.Clock", Limited)
    document = tiny(DATA.values, tmp_path / "out").document
    missing = {row.key for row in document.rows if row.repeats == [0]}
    assert missing == {"zeros", "mse", "cosine"} or missing == {"mean_profile", "zeros", "mse", "cosine"}
    said = [line for line in document.not_run if "not run, the time limit came first" in line]
    assert len(said) == len(missing)
    assert all("repeat 2" in line for line in said)
    monkeypatch.undo()
    assert tiny(DATA.values, tmp_path / "out").document.row("mse").repeats == [0, 1]  # the rest, when there is time


def test_a_budget_for_nothing_still_ends_with_a_report(tmp_path):
    found = tiny(DATA.values, tmp_path / "out", budget="1s")
    assert found.recommended is None
    assert found.document.rows == []
    assert len(found.document.not_run) >= 5
    assert "time limit" in found.document.not_run[0]
    assert (found.folder / "report.html").is_file()
    assert not (found.folder / "model").exists()
    with pytest.raises(BadInput, match=r"model\.json"):
        found.model.transform(DATA.values)


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), (45.5, 45.5)])
def test_budgets(text, expected):
    assert seconds(text) == expected


def test_a_clock_stops_before_the_limit():
    clock = Clock(limit=60.0)
    assert clock.may_start()
    clock.saw(59.0)
    clock.saw(0.1)  # a baseline says nothing about how long a training takes
    assert not clock.may_start()
    assert Clock(None, longest=1e9).may_start()


def test_a_candidate_that_does_not_fit_is_refused_with_the_reason(tmp_path, found):
    reasons = {each.candidate: each.reason for each in found.document.refused}
    assert "needs counts" in reasons["negative_binomial"]
    assert "sigmoid output" in " ".join(reasons)
    asked = tiny(DATA.values, tmp_path / "out", losses=["mse", "poisson"]).document
    assert {row.key for row in asked.rows} == {"mse", *BASELINES}
    assert any(each.candidate == "poisson" for each in asked.refused)


def test_what_fits_but_was_not_asked_for_is_said(found):
    said = " ".join(found.document.not_run)
    assert "mae" in said
    assert "pearson" in said


def test_a_diverged_training_is_a_row_with_its_cause(tmp_path):
    found = tiny(DATA.values, tmp_path / "out", losses=["mse"], learning_rates=[1e30])
    row = found.document.row("mse")
    assert row.verdict == "diverged"
    assert "loss was not finite in epoch" in row.note
    assert found.recommended is None
    assert found.document.row("pca").measurements["mse"].mean is not None
    again = tiny(DATA.values, tmp_path / "out", losses=["mse"], learning_rates=[1e30, 1e-3])  # the grid saves it
    assert again.recommended == "mse"


# --- counts --------------------------------------------------------------------------------------------------------


def test_counts_are_compared_in_one_space_with_their_own_likelihoods(tmp_path):
    document = tiny(COUNTS.values, tmp_path / "out", losses=["mse", "poisson", "negative_binomial"]).document
    assert document.dataset.kind == "raw counts"
    assert "log" in document.dataset.space
    for key in ("mse", "poisson", "negative_binomial"):
        assert 0.2 < document.row(key).measurements["norm_ratio"].mean < 2
    nats = {row.key: row.measurements["nats_mass"].mean for row in document.rows if "nats_mass" in row.measurements}
    assert set(nats) == {"poisson", "negative_binomial", "mean_profile"}


def test_fractions_instead_of_counts_refuse_the_count_losses(tmp_path):
    document = tiny(COUNTS.values + 0.5, tmp_path / "out", losses=["mse", "negative_binomial"]).document
    (why,) = [each.reason for each in document.refused if each.candidate == "negative_binomial"]
    assert "100 % of the values are not integers" in why
    assert {row.key for row in document.rows} == {"mse", *BASELINES}


def test_the_kind_can_be_declared(tmp_path):
    document = tiny(COUNTS.values, tmp_path / "out", kind="non-negative").document
    assert document.dataset.kind == "non-negative"
    assert "Declared" in document.dataset.reason
    assert any(each.candidate == "negative_binomial" for each in document.refused)


# --- goals and small data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", ["direction", "magnitude", "likelihood", "code"])
def test_every_goal_decides_by_its_yardstick(tmp_path, goal):
    document = tiny(DATA.values, tmp_path / "out", losses=["mse", "gaussian"], goal=goal, label=DATA.labels).document
    assert document.goal.name == goal
    assert not document.goal.inferred
    assert document.recommended == "gaussian" or goal != "likelihood"
    assert document.row(document.recommended).measurements[document.goal.yardstick].mean is not None


SMALLEST = {
    "ten samples": np.random.default_rng(0).normal(size=(10, 3)),
    "two features": np.random.default_rng(0).normal(size=(30, 2)),
    "almost constant": np.eye(12, 5),
    "mostly zero rows": np.concatenate([np.zeros((20, 6)), np.random.default_rng(0).poisson(3, size=(8, 6))]),
    "huge counts": np.random.default_rng(0).poisson(1e6, size=(30, 4)),
    "zeros and ones": np.random.default_rng(0).integers(0, 2, size=(30, 5)),
    "tiny numbers": 1e-20 * np.random.default_rng(0).normal(size=(30, 5)),
}


@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_and_oddest_data_run_to_the_end(tmp_path, name):
    """All that fits, in one short training each; every warning is an error here."""
    found = tiny(SMALLEST[name], tmp_path / "out", losses=(), repeats=1, epochs=1)
    assert found.document.recommended
    assert len(found.document.rows) > 5
    assert found.model.reconstruct(SMALLEST[name]).shape == SMALLEST[name].shape


# --- several code sizes --------------------------------------------------------------------------------------------


def test_several_code_sizes_go_on_from_one(tmp_path):
    """What was trained at one size is not trained again; the model that is handed over has the chosen size."""
    one = tiny(DATA.values, tmp_path / "out").document
    found = tiny(DATA.values, tmp_path / "out", code_sizes=[3, 2, 3])
    several, chosen = found.document, found.document.sweep.chosen
    assert several.sweep.sizes == [2, 3]
    assert {row.key for row in several.rows} == {
        *(f"{key}/{size}" for key in ("mse", "cosine", "pca") for size in (2, 3)), "mean_profile", "zeros",
    }  # fmt: skip
    for key in ("mse", "cosine", "pca"):
        assert several.row(f"{key}/2").trials == one.row(key).trials
        assert not set(several.row(f"{key}/3").trials) & set(one.row(key).trials)
    assert several.recommended.endswith(f"/{chosen}")
    assert found.model.transform(DATA.values).shape == (80, chosen)
    assert f"with a code of {chosen}, use" in several.sentence


def test_a_single_code_size_is_no_comparison_of_sizes(tmp_path):
    document = tiny(DATA.values, tmp_path / "out", code_sizes=[2]).document
    assert document.sweep is None
    assert {row.key for row in document.rows} == {"mse", "cosine", *BASELINES}


def test_sizes_that_a_budget_does_not_allow_are_said(tmp_path, monkeypatch):
    """The longest codes of the last repeat are left out; sizes with fewer splits still make a curve."""
    allowed = iter([True] * 12 + [False] * 100)
    monkeypatch.setattr(Clock, "may_start", lambda self: next(allowed))
    document = tiny(DATA.values, tmp_path / "out", code_sizes=[2, 3]).document
    assert document.sweep is not None
    assert "cosine, code 3: repeat 2 not run, the time limit came first." in document.not_run
    assert document.recommended


def test_phases_are_announced(tmp_path):
    phases: dict[str, list[int]] = {}

    class Counting(Quiet):
        def phase(self, name: str, total: int) -> Any:
            phases[name] = [0, total]
            return _counted(phases[name])

    tiny(DATA.values, tmp_path / "out", progress=Counting())
    assert phases == {"training": [10, 10], "report": [1, 1]}


class _counted:  # noqa: N801  a context manager
    def __init__(self, counts: list[int]) -> None:
        self.counts = counts

    def __enter__(self) -> Callable[[], None]:
        return self.advance

    def __exit__(self, *_: object) -> None: ...

    def advance(self) -> None:
        self.counts[0] += 1


def test_the_seed_decides(tmp_path):
    seeds = [tiny(DATA.values, tmp_path / str(seed), seed=seed).document for seed in (0, 1)]
    values = [document.row("pca").measurements["mse"].values for document in seeds]
    assert values[0] != values[1]


def test_public_names():
    assert losslens.Comparison.__name__ == "Comparison"
    assert isinstance(Store(Path("x")).folder, Path)
    assert TINY["workers"] == 0
    assert replace(DATA, name="other").content_hash == DATA.content_hash
