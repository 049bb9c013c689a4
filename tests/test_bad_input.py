"""Whatever a user gets wrong ends with a clear message and status 2, without a traceback, and leaves nothing behind."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.small_runs import TINY_OPTIONS, Ended, call, run, tiny

from losslens.vocabulary.errors import BadInput

ROWS, COLUMNS = 40, 6
RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(ROWS, COLUMNS)).round(3)
GENES = [f"g{i + 1}" for i in range(COLUMNS)]


def table(path: Path, values: object = VALUES, **columns: object) -> Path:
    """A .csv file of these values."""
    pd.DataFrame(values, columns=GENES).assign(**columns).to_csv(path, index=False)
    return path


def changed(row: int, column: int, value: object) -> pd.DataFrame:
    """The values with one cell replaced."""
    frame = pd.DataFrame(VALUES, columns=GENES).astype(object)
    frame.iloc[row, column] = value
    return frame


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return table(tmp_path / "good.csv", cell_type=["alpha", "beta"] * (ROWS // 2))


def assert_refused(ended: Ended, folder: Path, before: set[Path], *parts: str) -> None:
    """Status 2, a message with these parts on standard error, no traceback, no new file."""
    assert ended.status == 2, ended
    assert "Traceback" not in ended.out + ended.err
    for part in parts:
        assert part in ended.err, ended.err
    assert set(folder.rglob("*")) == before


def refuse(folder: Path, *arguments: object, parts: tuple[str, ...]) -> None:
    """Run a command in this process, with its working directory in ``folder``, and expect that it is refused."""
    before = set(folder.rglob("*"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        ended = call(*arguments)
    assert_refused(ended, folder, before, *parts)


# --- files ---------------------------------------------------------------------------------------------------------


def missing_file(folder: Path) -> Path:
    table(folder / "cells.csv")
    return folder / "cels.csv"


def missing_folder(folder: Path) -> Path:
    return folder / "nowhere" / "cells.csv"


def empty_file(folder: Path) -> Path:
    (folder / "d.csv").write_text("")
    return folder / "d.csv"


def text_in_a_numeric_column(folder: Path) -> Path:
    return table(folder / "d.csv", changed(4, 2, "oops"))


def not_a_number(folder: Path) -> Path:
    return table(folder / "d.csv", changed(6, 1, float("nan")))


def infinity(folder: Path) -> Path:
    return table(folder / "d.csv", changed(7, 3, float("-inf")))


def a_single_row(folder: Path) -> Path:
    return table(folder / "d.csv", VALUES[:1])


def too_few_rows(folder: Path) -> Path:
    return table(folder / "d.csv", VALUES[:7])


def a_single_column(folder: Path) -> Path:
    pd.DataFrame(VALUES[:, :1], columns=["g1"]).to_csv(folder / "d.csv", index=False)
    return folder / "d.csv"


def constant_columns(folder: Path) -> Path:
    return table(folder / "d.csv", np.tile(VALUES[0], (ROWS, 1)))


def all_zeros(folder: Path) -> Path:
    return table(folder / "d.csv", np.zeros((ROWS, COLUMNS)))


def another_suffix(folder: Path) -> Path:
    (folder / "d.xlsx").write_bytes(b"PK")
    return folder / "d.xlsx"


def corrupted_h5ad(folder: Path) -> Path:
    import anndata

    anndata.AnnData(VALUES).write_h5ad(folder / "d.h5ad")
    content = (folder / "d.h5ad").read_bytes()
    (folder / "d.h5ad").write_bytes(content[: len(content) // 2])
    return folder / "d.h5ad"


def text_called_h5ad(folder: Path) -> Path:
    (folder / "d.h5ad").write_text("these are no profiles")
    return folder / "d.h5ad"


def truncated_npz(folder: Path) -> Path:
    np.savez(folder / "d.npz", X=VALUES)
    content = (folder / "d.npz").read_bytes()
    (folder / "d.npz").write_bytes(content[: len(content) // 2])
    return folder / "d.npz"


FILES = [
    (missing_file, ("does not exist", "Did you mean", "cells.csv")),
    (missing_folder, ("whose folder does not exist",)),
    (empty_file, ("expected a file with data", "an empty file")),
    (text_in_a_numeric_column, ("numbers in column 'g3'", "'oops'", "row 5")),
    (not_a_number, ("1 missing (NaN)", "row 7", "column 'g2'")),
    (infinity, ("1 infinite", "row 8", "column 'g4'")),
    (a_single_row, ("at least 2 samples", "a single row")),
    (too_few_rows, ("at least 10 samples", "found 7")),
    (a_single_column, ("at least 2 features", "a single column", "'g1'")),
    (constant_columns, ("at least one column that varies", f"{COLUMNS} constant columns")),
    (all_zeros, ("data that vary", "nothing but zeros")),
    (another_suffix, ("a file ending in", "d.xlsx")),
    (corrupted_h5ad, ("an .h5ad file that can be read", "damaged")),
    (text_called_h5ad, ("an .h5ad file that can be read", "it is not HDF5")),
    (truncated_npz, ("a .npz file that can be read", "damaged")),
]


@pytest.mark.parametrize(("make", "parts"), FILES, ids=[make.__name__ for make, _ in FILES])
def test_a_file_that_cannot_be_used(tmp_path, make, parts):
    path = make(tmp_path)
    refuse(tmp_path, "compare", path, *TINY_OPTIONS, "--out", tmp_path / "out", parts=("expected", *parts))


def test_the_real_command_leaves_nothing_behind(tmp_path):
    path = text_in_a_numeric_column(tmp_path)
    before = set(tmp_path.rglob("*"))
    ended = run("compare", path, *TINY_OPTIONS, cwd=tmp_path)  # into the default folder
    assert_refused(ended, tmp_path, before, "losslens: expected numbers in column 'g3'", "'oops'", "row 5")


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_trap_would_spring(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("form", ["object array in .npz", "object array in .npy", "bare pickle"])
def test_a_pickle_is_refused_and_never_opened(tmp_path, form):
    trap = Trap(tmp_path / "sprung")
    path = tmp_path / ("d.npy" if form.endswith(".npy") else "d.npz")
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(trap))
    elif path.suffix == ".npy":
        np.save(path, np.array([trap, 1], dtype=object), allow_pickle=True)
    else:
        np.savez(path, X=VALUES, extra=np.array([trap], dtype=object))
    refuse(tmp_path, "inspect", path, parts=("plain arrays", "pickle"))


# --- options -------------------------------------------------------------------------------------------------------

OPTIONS = [
    ("--label cell_typ", ("a label column", "Did you mean 'cell_type'?")),
    ("--group donor", ("a group column", "'donor'")),
    ("--group cell_type", ("at least 3 groups", "found 2")),
    ("--id names", ("an id column", "'names'")),
    ("--layer counts", ("layer", "'counts'")),
    ("--loss cosin", ("expected a loss among", "Did you mean 'cosine'?")),
    ("--loss mse+softpluss", ("an output activation among", "Did you mean 'softplus'?")),
    ("--loss poisson+softplus", ("poisson alone", "softmax")),
    ("--loss poisson", ("at least one loss that fits", "poisson needs counts")),
    ("--loss mse+tanh", ("at least one loss that fits", "lies in [-1, 1]")),
    ("--goal likelyhood", ("a goal among", "Did you mean 'likelihood'?")),
    ("--loss mse --goal likelihood", ("a loss that is a likelihood", "found mse")),
    ("--label= --goal code", ("labels of at least two classes, or 50 samples", "40 samples")),
    ("--kind pixls", ("a kind of data among", "Did you mean 'pixels'?")),
    ("--kind counts", ("declared 'raw counts'", "values from -")),
    ("--activation rely", ("an activation among", "Did you mean 'relu'?")),
    ("--models pca_paht", ("a model among", "Did you mean 'pca_path'?")),
    ("--models denoising --corruption maskin", ("a corruption among", "Did you mean 'masking'?")),
    ("--models denoising --corruption masking:lots", ("a number after the colon", "'lots'")),
    ("--models denoising --corruption masking:1", ("rate of masking in [0, 0.95]", "found 1")),
    ("--models denoising --corruption thinning", ("counts, for the corruption thinning", "Use masking")),
    ("--models stacked_denoising --corruption thinning", ("counts, for the corruption thinning", "stacked_denoising")),
    ("--loss cosine --models denoising --corruption masking --emphasis full", ("cosine@denoising", "whole profiles")),
    ("--models denoising --emphasis full", ("a corruption for the emphasis", "--corruption masking:0.25")),
    ("--models denoising --corruption gaussian --emphasis double", ("leaves entries intact", "found gaussian")),
    ("--models denoising --corruption masking --emphasis fully", ("an emphasis among", "Did you mean 'full'?")),
    ("--corruption masking", ("a kind of model that corrupts its inputs", "Add --models denoising")),
    ("--beta 2", ("a variational kind of model", "Add --models variational")),
    ("--models variational --beta -1", ("beta in [0, 1e+06]", "found -1")),
    ("--models variational --beta inf", ("beta in [0, 1e+06]", "found inf")),
    ("--models variational --tied", ("either tied weights or a posterior", "found both")),
    ("--models convolutional", ("the shape of an image or a series", "--shape HEIGHTxWIDTH")),
    ("--models convolutional --shape 2x2", ("of 6 features in all", "'2x2'")),
    ("--models convolutional --shape 2by3", ("of 6 features in all", "'2by3'")),
    ("--models convolutional --shape 2x3 --tied", ("either tied weights or convolutions", "found both")),
    ("--models convolutional --shape 2x3 --hidden=", ("either no hidden layers or convolutions", "found both")),
    ("--models contractive --normalisation batch", ("either batch normalisation or a contractive penalty",)),
    ("--normalisation batch --batch 1", ("either batch normalisation or batches of one sample",)),
    ("--normalisation bach", ("a normalisation among", "Did you mean 'batch'?")),
    ("--models sparse_top_k --code 8", ("a code of more than 8 units", "found 8")),
    ("--models classifier --label=", ("labels of at least two classes", "--label")),
    ("--models stacked_classifier --label=", ("labels of at least two classes", "--models stacked_classifier")),
    ("--pretraining 5", ("whose layers are trained one by one", "Add --models stacked")),
    ("--models stacked --pretraining 0", ("epochs of pretraining of at least 1", "found 0")),
    ("--dropout 1", ("dropout in [0, 0.95]", "found 1")),
    ("--dropout nan", ("dropout in [0, 0.95]", "found nan")),
    ("--weight-decay -1", ("weight decay in [0, 10]", "found -1")),
    ("--average 1", ("an average of weights in [0, 0.9999]", "found 1")),
    ("--precision fp23", ("a precision among", "Did you mean 'fp32'?")),
    ("--device cudda", ("device", "'cudda'")),
    ("--code 0", ("a code size of at least 1", "found 0")),
    ("--code-size 4,0", ("a code size of at least 1", "found 0")),
    ("--code-size 4,x", ("a whole number", "'x'")),
    ("--hidden 8,0", ("hidden widths of at least 1", "found 0")),
    ("--hidden 8,x", ("a whole number", "'x'")),
    ("--repeats 0", ("repeats of at least 1",)),
    ("--epochs 0", ("epochs of at least 1",)),
    ("--batch 0", ("a batch size of at least 1",)),
    ("--seed -1", ("a seed of at least 0", "found -1")),
    ("--workers -1", ("workers of at least 0", "found -1")),
    ("--lr fast", ("a number", "'fast'")),
    ("--lr 1e-3,-1", ("positive learning rates", "found -1")),
    ("--lr nan", ("positive learning rates", "found nan")),
    ("--budget soon", ("a budget such as 90s", "'soon'")),
    ("--budget 0m", ("a budget such as 90s", "'0m'")),
]


@pytest.mark.parametrize(("options", "parts"), OPTIONS, ids=[options for options, _ in OPTIONS])
def test_an_option_that_cannot_be_used(tmp_path, good, options, parts):
    refuse(tmp_path, "compare", good, *options.split(), parts=("expected", *parts))


USAGE = [
    ("compare",),
    ("compare", "pancreas", "--code", "many"),
    ("compare", "pancreas", "--los", "mse"),
    ("transform", "model"),
    ("frobnicate",),
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage(tmp_path, arguments):
    refuse(tmp_path, *arguments, parts=("Usage: losslens", "Error: "))


def test_a_goal_that_needs_more_features(tmp_path):
    pd.DataFrame(VALUES[:, :2]).to_csv(tmp_path / "d.csv", index=False)
    parts = ("at least 3 features for --goal direction", "found 2")
    refuse(tmp_path, "compare", tmp_path / "d.csv", "--goal", "direction", parts=parts)


# --- where to write ------------------------------------------------------------------------------------------------


def test_an_output_folder_below_a_file(tmp_path, good):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        parts = ("expected a", "folder", str(out), "another --out")
        refuse(tmp_path, "compare", good, *TINY_OPTIONS, "--out", out, parts=parts)


def test_an_output_folder_that_cannot_be_made(tmp_path, good):
    name = "x" * 300  # longer than any file system allows, which stops root as well
    parts = ("a folder that can be written", "another --out")
    refuse(tmp_path, "compare", good, *TINY_OPTIONS, "--out", tmp_path / "new" / name, parts=parts)


def test_an_output_folder_that_holds_other_things(tmp_path, good):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    parts = ("expected a new folder", "something else", "another --out")
    refuse(tmp_path, "compare", good, *TINY_OPTIONS, "--out", tmp_path / "home", parts=parts)


def test_an_output_folder_of_other_data(tmp_path, good):
    tiny(VALUES + 1, tmp_path / "out")
    parts = ("a comparison of other data (array)", "another --out")
    refuse(tmp_path, "compare", good, *TINY_OPTIONS, "--out", tmp_path / "out", parts=parts)


def test_an_output_folder_in_use(tmp_path, good):
    from losslens.faces.folder import held

    tiny(good, tmp_path / "out")
    with held(tmp_path / "out"):
        parts = ("no other run is writing to", "choose another --out")
        refuse(tmp_path, "compare", good, *TINY_OPTIONS, "--out", tmp_path / "out", parts=parts)


# --- models --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(table(tmp_path_factory.mktemp("run") / "d.csv"), tmp_path_factory.mktemp("run") / "out").folder


def copy_of(finished: Path, folder: Path) -> Path:
    import shutil

    return Path(shutil.copytree(finished / "model", folder / "model"))


def test_a_folder_that_is_no_model(tmp_path, good):
    parts = ("a folder with model.json and weights.safetensors",)
    refuse(tmp_path, "transform", tmp_path, good, "-o", "codes.csv", parts=parts)
    refuse(tmp_path, "reconstruct", tmp_path / "nowhere", good, parts=parts)


def cut(model: Path) -> None:
    content = (model / "weights.safetensors").read_bytes()
    (model / "weights.safetensors").write_bytes(content[:-20])


def no_weights(model: Path) -> None:
    (model / "weights.safetensors").unlink()


def no_json(model: Path) -> None:
    (model / "model.json").write_text("{")


def other_code_size(model: Path) -> None:
    text = (model / "model.json").read_text()
    assert '"code": 2' in text
    (model / "model.json").write_text(text.replace('"code": 2', '"code": 3'))


def other_format(model: Path) -> None:
    text = (model / "model.json").read_text()
    (model / "model.json").write_text(text.replace('"format": 1', '"format": 99'))


def nonsense_size(model: Path) -> None:
    text = (model / "model.json").read_text()
    (model / "model.json").write_text(text.replace('"code": 2', '"code": -2'))


def unknown_transform(model: Path) -> None:
    text = (model / "model.json").read_text()
    assert '"transform": ' in text
    (model / "model.json").write_text(text.replace('"transform": "', '"transform": "not_'))


DAMAGE = [cut, no_weights, no_json, other_code_size, other_format, nonsense_size, unknown_transform]


@pytest.mark.parametrize("damage", DAMAGE, ids=[damage.__name__ for damage in DAMAGE])
def test_a_damaged_model(tmp_path, good, finished, damage):
    model = copy_of(finished, tmp_path)
    damage(model)
    refuse(tmp_path, "transform", model, good, "-o", "codes.csv", parts=("expected a", str(model)))


def test_an_output_file_that_cannot_be_written(tmp_path, good, finished):
    parts = ("an output file ending in .csv, .npz, .h5ad", "codes.xlsx")
    refuse(tmp_path, "transform", finished, good, "-o", "codes.xlsx", parts=parts)
    parts = ("an existing folder for the output",)
    refuse(tmp_path, "transform", finished, good, "-o", tmp_path / "no" / "codes.csv", parts=parts)
    for suffix in (".csv", ".npz", ".h5ad"):
        (tmp_path / f"taken{suffix}").mkdir()
        parts = ("a file that can be written", f"taken{suffix}")
        refuse(tmp_path, "transform", finished, good, "-o", tmp_path / f"taken{suffix}", parts=parts)


def test_features_that_the_model_does_not_know(tmp_path, finished):
    frame = pd.DataFrame(VALUES, columns=GENES)
    frame.drop(columns=["g2", "g5"]).to_csv(tmp_path / "fewer.csv", index=False)
    frame.rename(columns=str.upper).to_csv(tmp_path / "others.csv", index=False)
    fewer = ("the 6 features that the model was trained on", "2 of them missing", "g2, g5")
    refuse(tmp_path, "transform", finished, tmp_path / "fewer.csv", "-o", "c.csv", parts=fewer)
    others = ("the 6 features that the model was trained on", "6 of them missing")
    refuse(tmp_path, "transform", finished, tmp_path / "others.csv", "-o", "c.csv", parts=others)


def test_an_unknown_space(tmp_path, good, finished):
    parts = ("a space among: data, working", "Did you mean 'working'?")
    refuse(tmp_path, "reconstruct", finished, good, "--space", "workin", parts=parts)


def test_an_unknown_catalogue(tmp_path):
    refuse(tmp_path, "list", "loses", parts=("a catalogue among", "Did you mean 'losses'?"))


# --- from Python ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (np.ones((30, 4)), "4 constant columns"),
        (np.full((30, 4), np.nan), "120 missing"),
        (np.arange(30.0), "matrix"),
        (np.array([["a", "b"], ["c", "d"]]), "real numbers"),
        ("no-such-set", "existing file or a bundled data set"),
        (object(), "real numbers"),
    ],
)
def test_python_raises_bad_input(tmp_path, data, part):
    with pytest.raises(BadInput, match=part):
        tiny(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_python_refuses_labels_of_another_length(tmp_path):
    with pytest.raises(BadInput, match="one label per row: 40"):
        tiny(VALUES, tmp_path / "out", label=["a", "b"] * 3)
    assert not (tmp_path / "out").exists()
