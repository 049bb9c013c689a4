"""Trained models on disk and in use: saved is loaded, features go by name, units are those of the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from tests.small_runs import call, tiny

import losslens
from losslens.data import synthetic
from losslens.data.transforms import fit_transform_named
from losslens.faces.writers import WRITERS, write_matrix
from losslens.models.files import SavedModel, load, save
from losslens.models.spec import ModelSpec, ObjectiveSpec
from losslens.run.prepared import DataFolder
from losslens.run.spec import TrialSpec
from losslens.run.trial import run_trial
from losslens.vocabulary.errors import BadInput

GENES = [f"gene{i}" for i in range(10)]
COUNTS = synthetic.negative_binomial_counts(samples=70, features=10)
REAL = synthetic.gaussian_noise(samples=70, features=10)


def named(values: Any) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(values), columns=GENES, index=[f"cell{i}" for i in range(len(values))])


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of counts under a count loss."""
    folder = tmp_path_factory.mktemp("counts") / "out"
    return tiny(named(COUNTS.values), folder, losses=["negative_binomial"], repeats=1, epochs=5).folder


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of real values, standardised, under a loss that is blind to scale."""
    folder = tmp_path_factory.mktemp("real") / "out"
    return tiny(named(REAL.values), folder, losses=["cosine"], repeats=1, epochs=5).folder


# --- files ---------------------------------------------------------------------------------------------------------


def example() -> SavedModel:
    return SavedModel(
        model=ModelSpec(hidden=(4, 3), code=2, activation="tanh"),
        objective=ObjectiveSpec(loss="huber", link="softplus", options={"delta": 0.5}),
        kind="real",
        transform="standardise",
        features=("a", "β", "c d"),
        arrays={"model.x": np.arange(6, dtype=np.float32).reshape(2, 3), "transform.mean": np.float32([1, 2, 3])},
        about={"sentence": "Use it."},
    )


def test_what_is_saved_is_loaded(tmp_path):
    save(example(), tmp_path / "model")
    for folder in (tmp_path, tmp_path / "model"):
        loaded = load(folder)
        assert {name: getattr(loaded, name) for name in ("model", "objective", "kind", "transform")} == {
            name: getattr(example(), name) for name in ("model", "objective", "kind", "transform")
        }
        assert loaded.features == example().features
        assert loaded.about == example().about
        assert set(loaded.arrays) == set(example().arrays)
        for name, array in example().arrays.items():
            assert loaded.arrays[name].dtype == array.dtype
            assert np.array_equal(loaded.arrays[name], array)


def test_saving_again_replaces_the_whole_folder(tmp_path):
    save(example(), tmp_path / "model")
    (tmp_path / "model" / "stale.bin").write_bytes(b"old")
    save(example(), tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.json", "weights.safetensors"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_is_json_and_safetensors(counted):
    header = (counted / "model" / "weights.safetensors").read_bytes()
    size = int.from_bytes(header[:8], "little")
    assert "model.center" in json.loads(header[8 : 8 + size])
    about = json.loads((counted / "model" / "model.json").read_text(encoding="utf-8"))
    assert about["format"] == 1
    assert about["features"] == GENES
    assert about["kind"] == "raw counts"
    assert about["objective"]["loss"] == "negative_binomial"


def test_nothing_is_unpickled(counted, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for name in ("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load"):
        monkeypatch.setattr(name, refuse)
    assert losslens.load(counted).transform(named(COUNTS.values)).shape == (70, 2)


def test_baselines_are_not_saved(tmp_path):
    """PCA is ahead here by far; what is saved is the best of what was trained."""
    found = tiny(REAL.values, tmp_path / "out", repeats=1, epochs=1)
    yardstick = found.document.goal.yardstick
    ahead = max(found.document.rows, key=lambda row: row.measurements[yardstick].mean)
    assert ahead.key == "pca"
    assert found.recommended in ("mse", "cosine")
    assert found.model.saved.model.kind == "autoencoder"
    assert found.model.saved.about["row"] == found.recommended


# --- use -----------------------------------------------------------------------------------------------------------


def test_the_loaded_model_is_the_trained_one(measured, tmp_path):
    """Codes of the loaded model are those of the trial, trained again from its spec."""
    (trial,) = {path.parent.name for path in measured.glob("trials/*/weights.safetensors")}
    spec = TrialSpec.model_validate_json((measured / "trials" / trial / "spec.json").read_bytes())
    profiles = losslens.inspect(named(REAL.values)).profiles
    weights = run_trial(spec, DataFolder.write(profiles, tmp_path).folder).weights
    model = losslens.load(measured)
    for name, value in model.network.state_dict().items():
        assert np.array_equal(weights[f"model.{name}"], value.numpy())
    prepared = DataFolder.write(profiles, tmp_path).prepare(spec.split, spec.transform)
    with torch.no_grad():
        expected = model.network(prepared.profiles(torch.arange(70))).code.numpy()
    np.testing.assert_allclose(model.transform(named(REAL.values)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", [pd.DataFrame, sp.csr_matrix, anndata.AnnData], ids=["table", "sparse", "annotated"])
def test_any_form_of_data_gives_the_same_codes(counted, form):
    model = losslens.load(counted)
    given = named(COUNTS.values) if form is pd.DataFrame else form(COUNTS.values)
    if form is anndata.AnnData:
        given.var_names = GENES
    np.testing.assert_allclose(model.transform(given), model.transform(named(COUNTS.values)), rtol=1e-5, atol=1e-6)


def test_features_are_matched_by_name(counted, measured):
    for folder, values in ((counted, COUNTS.values), (measured, REAL.values)):
        model, table = losslens.load(folder), named(values)
        shuffled = table[GENES[::-1]].assign(another=table["gene3"])
        assert np.array_equal(model.transform(shuffled), model.transform(table))
        assert np.array_equal(model.reconstruct(shuffled), model.reconstruct(table))
        assert not np.array_equal(model.transform(table.set_axis(GENES[::-1], axis=1)), model.transform(table))


def test_values_without_names_are_taken_in_their_order(measured):
    model = losslens.load(measured)
    assert np.array_equal(model.transform(REAL.values), model.transform(named(REAL.values)))
    with pytest.raises(BadInput, match="10 of them missing, such as gene0"):
        model.transform(REAL.values[:, :9])


def test_missing_features_are_named(measured):
    model = losslens.load(measured)
    with pytest.raises(BadInput, match="2 of them missing, such as gene4, gene7"):
        model.transform(named(REAL.values).drop(columns=["gene4", "gene7"]))
    with pytest.raises(BadInput, match="10 of them missing"):
        model.transform(named(REAL.values).set_axis([f"ENSG{i}" for i in range(10)], axis=1))


@pytest.mark.parametrize("values", [COUNTS.values + 0.5, -COUNTS.values, np.log1p(COUNTS.values)])
def test_a_model_of_counts_wants_counts(counted, values):
    with pytest.raises(BadInput, match="raw counts, which the model was trained on"):
        losslens.load(counted).transform(named(values))


def test_reconstructions_are_in_data_units_or_in_the_working_space(measured):
    """Standardised data: the one is the other times the training deviation plus the training mean."""
    model = losslens.load(measured)
    working = model.reconstruct(named(REAL.values), space="working")
    data = model.reconstruct(named(REAL.values))
    arrays = model.saved.arrays
    np.testing.assert_allclose(data, working * arrays["transform.scale"] + arrays["transform.mean"], rtol=1e-5)
    with pytest.raises(BadInput, match="a space among: data, working"):
        model.reconstruct(named(REAL.values), space="log")


def test_reconstructed_counts_keep_the_library_size(counted):
    model = losslens.load(counted)
    rebuilt = model.reconstruct(named(COUNTS.values))
    assert (rebuilt >= 0).all()
    ratio = rebuilt.sum(1) / COUNTS.values.sum(1)
    assert 0.5 < np.median(ratio) < 1.5
    doubled = model.reconstruct(named(COUNTS.values * 2)).sum(1) / rebuilt.sum(1)
    assert 1.5 < np.median(doubled) < 2.5
    working = model.reconstruct(named(COUNTS.values), space="working")
    target = float(model.saved.arrays["transform.target"])
    fitted = fit_transform_named("library_log", COUNTS.values)
    assert np.abs(working - fitted.apply(COUNTS.values)).mean() < np.abs(fitted.apply(COUNTS.values)).mean()
    expected = np.expm1(working) * COUNTS.values.sum(1, keepdims=True) / target
    np.testing.assert_allclose(rebuilt, expected, rtol=1e-4)


# --- the commands --------------------------------------------------------------------------------------------------


def read_back(path: Path) -> tuple[np.ndarray[Any, Any], list[str], list[str], list[str]]:
    """Values, samples, columns and labels of a written file."""
    if path.suffix == ".csv":
        frame = pd.read_csv(path, index_col="sample")
        labels = frame.pop("label")
        return frame.to_numpy(), list(frame.index), list(frame.columns), list(labels)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as saved:
            return saved["X"], list(saved["samples"]), list(saved["features"]), list(saved["labels"])
    adata = anndata.read_h5ad(path)
    return np.asarray(adata.X), list(adata.obs_names), list(adata.var_names), list(adata.obs["label"])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "cells.csv"
    named(COUNTS.values).assign(cell_type=COUNTS.labels).to_csv(path, index_label="cell")
    return path


@pytest.mark.parametrize("suffix", WRITERS)
def test_transform_writes_codes(counted, table, tmp_path, suffix):
    output = tmp_path / f"codes{suffix}"
    ended = call("transform", counted, table, "-o", output)
    assert (ended.status, ended.out, ended.err) == (0, f"Wrote 70 x 2 to {output}\n", "")
    values, samples, columns, labels = read_back(output)
    np.testing.assert_allclose(values, losslens.load(counted).transform(named(COUNTS.values)), rtol=1e-5)
    assert samples == [f"cell{i}" for i in range(70)]
    assert columns == ["code_1", "code_2"]
    assert labels == list(COUNTS.labels)
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("suffix", WRITERS)
def test_reconstruct_writes_profiles(counted, table, tmp_path, suffix):
    output = tmp_path / f"rebuilt{suffix}"
    ended = call("reconstruct", counted / "model", table, "-o", output, "--json")
    assert ended.status == 0
    assert json.loads(ended.out) == {"output": str(output), "rows": 70, "columns": 10}
    values, samples, columns, _ = read_back(output)
    np.testing.assert_allclose(values, losslens.load(counted).reconstruct(named(COUNTS.values)), rtol=1e-4)
    assert (samples[0], columns) == ("cell0", GENES)


def test_reconstruct_in_the_working_space(counted, table, tmp_path):
    ended = call("reconstruct", counted, table, "-o", tmp_path / "r.npz", "--space", "working")
    assert ended.status == 0, ended.err
    working = losslens.load(counted).reconstruct(named(COUNTS.values), space="working")
    np.testing.assert_allclose(read_back(tmp_path / "r.npz")[0], working, rtol=1e-5)


def test_what_was_written_can_be_read(counted, table, tmp_path):
    """Codes are data: each form goes straight into another command."""
    for suffix in WRITERS:
        call("transform", counted, table, "-o", tmp_path / f"codes{suffix}")
        found = json.loads(call("inspect", tmp_path / f"codes{suffix}", "--json").out)
        assert (found["samples"], found["features"]) == (70, 2)
        assert sum(found["classes"].values()) == 70


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    output = tmp_path / "codes.csv"
    output.write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    with pytest.raises(BadInput, match="No space left"):
        write_matrix(output, np.ones((2, 2)), ["a", "b"], ["x", "y"], None)
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]
