"""``pretrain`` and ``compare --methods`` end to end on small data, from Python and from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.small_methods import planned, planted
from tests.small_runs import call, tiny, without_times

import losslens
from losslens.data import synthetic
from losslens.faces.progress import Quiet
from losslens.models.methods import METHODS
from losslens.report.document import Document
from losslens.run import siamese
from losslens.vocabulary.errors import BadInput, Interrupted, UnknownName

DATA = planted(160)
SMALL = {"epochs": 3, "code": 4, "hidden": [16], "head": 8, "batch": 32}
BESIDE = {"pca", "mean_profile", "zeros", "raw_features", "random_encoder"}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    return losslens.pretrain(DATA.values, label=DATA.labels, method="simsiam", cut=9, out=folder, **SMALL)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "cells.csv"
    header = ",".join(["kind", *(f"gene{i}" for i in range(DATA.shape[1]))])
    rows = (",".join([label, *map(str, row)]) for label, row in zip(DATA.labels, DATA.values, strict=True))
    path.write_text("\n".join([header, *rows]))
    return path


# --- pretrain ------------------------------------------------------------------------------------------------------


def test_a_pretraining_leaves_encoder_embedding_and_report(found):
    assert {path.name for path in found.folder.iterdir()} == {
        "run.json",
        "report.html",
        "results.json",
        "model",
        "trials",
        "embedding.npz",
    }
    assert {row.key for row in found.document.rows} == {"simsiam/cut=9/wd=0.0005", *BESIDE}
    assert found.recommended == "simsiam/cut=9/wd=0.0005"
    assert Document.model_validate_json((found.folder / "results.json").read_bytes()) == found.document
    with np.load(found.folder / "embedding.npz") as saved:
        assert saved["X"].shape == (160, 4)
        assert list(saved["labels"]) == list(DATA.labels)


def test_the_encoder_can_be_loaded_and_used(found):
    model = losslens.load(found.folder)
    with np.load(found.folder / "embedding.npz") as saved:
        np.testing.assert_allclose(model.transform(DATA.values), saved["X"], rtol=1e-5, atol=1e-6)
    rebuilt = model.reconstruct(DATA.values)
    assert rebuilt.shape == DATA.shape
    errors = ((rebuilt - DATA.values) ** 2).sum()
    assert errors < ((DATA.values - DATA.values.mean(0)) ** 2).sum()
    with pytest.raises(BadInput, match="features that the model was trained on"):
        model.transform(DATA.values[:, :7])


def test_readings_stand_in_results_and_report(found):
    (course,) = found.document.row(found.recommended).courses
    assert set(course.readings) == {"loss", "norm", "positive_cosine", "spread", "effective_rank", "knn_accuracy"}
    assert all(len(values) == 4 for values in course.readings.values())
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert "While methods trained" in page
    assert "SimSiam, cut 9, weight decay 0.0005" in page
    said = {setting.name: setting.value for setting in found.document.settings}
    assert "linear read-out" in said["Codes"]
    assert "3 epochs" in said["Self-supervised training"]
    assert found.document.code == 'found = losslens.pretrain(X, method="simsiam", cut=9, weight_decay=0.0005)'


def test_without_labels_there_are_no_neighbours(tmp_path):
    found = losslens.pretrain(DATA.values, method="simclr", out=tmp_path / "out", **SMALL)
    (course,) = found.document.row(found.recommended).courses
    assert set(course.readings["knn_accuracy"]) == {None}
    assert found.document.goal.name == "magnitude"
    assert "Epochs until" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


class Stop(Quiet):
    """Stops after some epochs, as Ctrl-C does."""

    def __init__(self, after):
        self.left = after

    def phase(self, name, total):
        from contextlib import nullcontext

        def advance(note=""):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt

        return nullcontext(advance)


def test_a_stopped_pretraining_goes_on(tmp_path, monkeypatch, found):
    monkeypatch.setattr(siamese, "CHECKPOINT_SECONDS", 0.0)
    options = {"label": DATA.labels, "method": "simsiam", "cut": 9, "out": tmp_path / "out", **SMALL}
    with pytest.raises(Interrupted, match="goes on from there"):
        losslens.pretrain(DATA.values, progress=Stop(2), **options)
    assert (tmp_path / "out" / "state.safetensors").exists()
    assert not (tmp_path / "out" / "model").exists()
    again = losslens.pretrain(DATA.values, **options)
    assert not (tmp_path / "out" / "state.safetensors").exists()
    assert without_times(again.document.model_dump()) == without_times(found.document.model_dump())


def test_a_pretraining_stopped_before_its_first_state_does_not_claim_one(tmp_path):
    with pytest.raises(Interrupted, match="nothing was trained yet") as stopped:
        losslens.pretrain(DATA.values, progress=Stop(0), out=tmp_path / "out", **SMALL)
    assert "state" not in str(stopped.value)
    assert not (tmp_path / "out" / "state.safetensors").exists()


def test_a_loaded_encoder_shows_itself_in_a_line(found):
    assert repr(found.model) == "Model(simsiam/cut=9/wd=0.0005 on array, 60 features -> code of 4)"


# --- compare -------------------------------------------------------------------------------------------------------


def test_methods_cuts_and_decays_are_rows_beside_losses(tmp_path):
    found = tiny(
        DATA.values,
        tmp_path / "out",
        label=DATA.labels,
        losses=["mse"],
        methods=["simclr", "moco"],
        cut=[1, 3],
        weight_decay=[0, 5e-4],
        batch=32,
    )
    methods = {f"{n}/cut={c}/wd={w}" for n in ("simclr", "moco_v2") for c in (1, 3) for w in ("0", "0.0005")}
    assert {row.key for row in found.document.rows} == {*methods, "mse", *BESIDE}
    assert found.document.goal.name == "code"
    row = found.document.row("moco_v2/cut=3/wd=0.0005")
    assert row.title == "MoCo v2, cut 3, weight decay 0.0005"
    assert row.role == "candidate"
    assert len(row.courses) == 2
    assert row.learning_rates == [pytest.approx(METHODS["moco_v2"].learning_rate * 32 / 256)] * 2
    assert {"knn_accuracy", "linear_probe", "r2", "trustworthiness"} <= set(row.measurements)
    assert {found.document.row(key).role for key in BESIDE} == {"baseline"}
    assert {"mse", "simclr/cut=1/wd=0"} <= {picture.row for picture in found.document.pictures}
    assert found.model.transform(DATA.values).shape == (160, 2)


def test_a_finished_comparison_of_methods_trains_nothing_again(tmp_path, monkeypatch):
    options = {"losses": (), "methods": ["vicreg"], "label": DATA.labels}
    first = tiny(DATA.values, tmp_path / "out", **options)
    monkeypatch.setattr(siamese.Pretraining, "run", lambda *_: pytest.fail("trained again"))
    second = tiny(DATA.values, tmp_path / "out", **options)
    assert without_times(first.document.model_dump()) == without_times(second.document.model_dump())


def test_images_get_a_residual_network_and_profiles_a_perceptron():
    images = losslens.inspect("digits")
    assert images is not None
    from losslens.data.readers import read

    digits = read("digits")
    image = next(s for s in planned(digits, ("simclr",), shape=(1, 8, 8)).trials if s.method)
    assert (image.model.architecture, image.model.hidden, image.model.code) == ("residual", (16, 32), 4)
    counts = synthetic.negative_binomial_counts(samples=100, features=16)
    profile = next(s for s in planned(counts, ("simclr",), shape=(1, 4, 4)).trials if s.method)
    assert profile.model.architecture == "perceptron"
    series = planned(counts, ("simclr",), shape=(1, 1, 16), shape_given=True).trials
    assert next(s for s in series if s.method).model.shape == (1, 1, 16)


def test_settings_of_a_method_go_into_its_trial():
    specs = planned(DATA, ("simclr", "byol", "simclr"), cuts=(1.0, 9.0), grad_scale=1.0, head=20, epochs=7).trials
    own = [spec for spec in specs if spec.method]
    assert len(own) == 4
    assert {spec.method.head for spec in own} == {20}
    assert {spec.training.epochs for spec in own} == {7}
    assert [spec.training.weight_decay for spec in own] == [1e-6, 1e-6, 5e-4, 5e-4]
    assert {spec.method.temperature for spec in own if spec.method.name == "simclr"} == {0.5}
    assert own[0].training.batch == 16
    assert own[0].training.learning_rates[0] == pytest.approx(METHODS["simclr"].learning_rate * 16 / 256)


def test_without_methods_nothing_is_planned_for_them():
    whole = planned(DATA, (), losses=("mse",))
    assert whole.candidates


# --- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"method": "simclrr"}, UnknownName, "Did you mean 'simclr'"),
        ({"cut": 0.5}, BadInput, "a cut in"),
        ({"weight_decay": -1.0}, BadInput, "weight decay"),
        ({"views": "gausian_noise"}, UnknownName, "Did you mean 'gaussian_noise'"),
        ({"views": "gaussian_noise:sigma"}, BadInput, "OPTION=NUMBER"),
        ({"batch": 1}, BadInput, "two samples"),
        ({"temperature": 0.0}, BadInput, "a temperature"),
        ({"head": 1}, BadInput, "a head's width"),
        ({"epochs": 0}, BadInput, "epochs"),
        ({"cut": 3, "cut_form": "alll"}, BadInput, "form"),
        ({"cut": 3, "cut_form": "exact", "method": "byol"}, BadInput, "found BatchNorm1d"),
        ({"shape": "7x7"}, BadInput, "60 features"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(tmp_path, options, error, part):
    with pytest.raises(error, match=part):
        losslens.pretrain(DATA.values, out=tmp_path / "out", **{**SMALL, **options})
    assert not (tmp_path / "out").exists()


def test_few_samples_are_refused(tmp_path):
    with pytest.raises(BadInput, match="50 samples or more"):
        losslens.pretrain(DATA.values[:40], out=tmp_path / "out", **SMALL)


def test_several_decays_need_methods(tmp_path):
    with pytest.raises(BadInput, match="--methods"):
        tiny(DATA.values, tmp_path / "out", weight_decay=[0, 1e-3])


# --- the command line ----------------------------------------------------------------------------------------------


def test_the_command_pretrains(table, tmp_path):
    options = [
        "--method",
        "byol",
        "--cut",
        "3",
        "--epochs",
        "2",
        "--code",
        "4",
        "--hidden",
        "8",
        "--head",
        "8",
        "--batch",
        "32",
    ]
    ended = call("pretrain", table, *options, "-o", tmp_path / "out")
    assert ended.status == 0, ended.err
    assert "BYOL, cut 3, weight decay 0.0005" in ended.out
    assert f"Embedding: {tmp_path / 'out' / 'embedding.npz'}" in ended.out
    codes = call("transform", tmp_path / "out", table, "-o", tmp_path / "codes.csv")
    assert "Wrote 160 x 4" in codes.out


def test_the_command_compares_methods(table, tmp_path):
    options = [
        "--methods",
        "simclr,simsiam",
        "--cut",
        "1,3",
        "--weight-decay",
        "0",
        "--epochs",
        "1",
        "--code",
        "4",
        "--hidden",
        "8",
        "--repeats",
        "2",
    ]
    ended = call("compare", table, *options, "--workers", 0, "--out", tmp_path / "out", "--json")
    assert ended.status == 0, ended.err
    keys = {row["key"] for row in json.loads(ended.out)["rows"]}
    assert keys == {*BESIDE, *(f"{n}/cut={c}/wd=0" for n in ("simclr", "simsiam") for c in (1, 3))}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["pretrain", "digits", "--method", "byoll"], "Did you mean 'byol'"),
        (["pretrain", "digits", "--views", "nothing"], "expected a view among"),
        (["compare", "digits", "--weight-decay", "0,1e-3"], "add --methods"),
        (["compare", "digits", "--cut", "3", "--views", "rotate"], "methods, for --cut and --views, found none"),
        (["compare", "digits", "--methods", "simclr", "--cut", "0"], "a cut in"),
        (["compare", "digits", "--methods", "simclr", "--cut", "three"], "expected a number"),
    ],
)
def test_the_command_teaches(arguments, part, tmp_path):
    ended = call(*arguments, "--out", tmp_path / "out")
    assert ended.status == 2
    assert part in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "out").exists()


def test_methods_are_listed():
    ended = call("list", "methods", "--json")
    listed = json.loads(ended.out)
    assert [record["name"] for record in listed] == list(METHODS)
    assert all(record["use"] and record["failure"] and record["reference"] for record in listed)


# --- what a pretraining says -----------------------------------------------------------------------------------------


def test_a_pretraining_advises_nothing_that_its_command_lacks(found):
    said = " ".join(found.document.advice)
    assert "--goal" not in said
    assert "losslens compare DATA --methods simsiam --repeats 5" in said
    assert "no interval" not in found.sentence
    notes = [row.note for row in found.document.rows if "One split" in row.note]
    assert len(notes) == 1


def test_raw_features_that_rebuild_themselves_are_no_rival(tmp_path):
    found = losslens.pretrain(DATA.values, out=tmp_path / "out", **SMALL)
    raw = next(row for row in found.document.rows if row.key == "raw_features")
    assert raw.mean(found.document.goal.yardstick) == pytest.approx(1.0)
    assert "raw features" not in found.sentence
    assert "PCA" in found.sentence
