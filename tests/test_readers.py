"""Readers: every form of the same data reads alike, and every bad input is named, counted and located."""

import gzip
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from losslens.data.bundled import BUNDLED
from losslens.data.readers import SUFFIXES, read
from losslens.vocabulary.errors import BadInput, UnknownName

VALUES = np.array([[0, 1.5, 2], [3, 0, 4], [5, 6, 0], [0.5, 0, 0]], dtype=np.float32)
NAMES = ("s1", "s2", "s3", "s4")
GENES = ("g1", "g2", "g3")


def frame(**columns):
    table = pd.DataFrame(VALUES, columns=list(GENES), index=pd.Index(NAMES))
    return table.assign(**columns)


def annotated(**obs):
    import anndata

    return anndata.AnnData(
        sp.csr_matrix(VALUES), obs=pd.DataFrame(obs, index=list(NAMES)), var=pd.DataFrame(index=list(GENES))
    )


def write_all(folder):
    """The same data in every form."""
    table = frame(cell_type=["a", "b", "a", "b"])
    table.to_csv(folder / "d.csv")
    table.to_csv(folder / "d.csv.gz")
    table.to_csv(folder / "d.tsv", sep="\t")
    table.to_csv(folder / "d.tsv.gz", sep="\t")
    table.to_parquet(folder / "d.parquet")
    extras = {"labels": np.array(list("abab")), "features": np.array(GENES), "samples": np.array(NAMES)}
    np.savez(folder / "d.npz", X=VALUES, **extras)
    annotated(cell_type=list("abab")).write_h5ad(folder / "d.h5ad")


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix != ".npy"])
def test_every_form_reads_alike(tmp_path, suffix):
    write_all(tmp_path)
    profiles = read(tmp_path / f"d{suffix}")
    assert np.array_equal(profiles.rows(np.arange(4)), VALUES)
    assert profiles.features == GENES
    assert profiles.samples == NAMES
    assert profiles.labels is not None
    assert list(profiles.labels) == list("abab")
    assert profiles.name == "d"
    assert profiles.values.dtype == np.float32
    assert profiles.is_sparse == (suffix == ".h5ad")
    assert any("Labels" in remark for remark in profiles.remarks)


def test_npy_reads(tmp_path):
    np.save(tmp_path / "d.npy", VALUES.astype(np.int16))
    assert np.array_equal(read(tmp_path / "d.npy").values, VALUES.astype(np.int16))


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_matrix, sp.csc_array, sp.coo_matrix, pd.DataFrame, list])
def test_python_objects_read_alike(convert):
    profiles = read(convert(VALUES), label=["x", "y", "x", None], group=[1, 1, 2, 2])
    assert np.array_equal(profiles.rows(np.arange(4)), VALUES)
    assert list(profiles.labels) == ["x", "y", "x", "unlabelled"]
    assert list(profiles.groups) == ["1", "1", "2", "2"]
    assert profiles.is_sparse == sp.issparse(convert(VALUES))


def test_dataframe_of_sparse_columns_stays_sparse():
    profiles = read(pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(VALUES), columns=list(GENES)))
    assert profiles.is_sparse
    assert np.array_equal(profiles.values.toarray(), VALUES)


def test_equal_data_have_equal_hashes_whatever_the_source(tmp_path):
    unsorted = sp.csr_matrix((np.array([2.0, 1.5, 0.0, 3, 4, 5, 6, 0.5]), [2, 1, 0, 0, 2, 0, 1, 0], [0, 3, 5, 7, 8]))
    held = unsorted.data.copy(), unsorted.indices.copy()
    wide = sp.csr_matrix(VALUES.astype(np.float64))
    wide.indices = wide.indices.astype(np.int64)
    hashes = {read(matrix, label=list("abab")).content_hash for matrix in (sp.csr_matrix(VALUES), unsorted, wide)}
    assert len(hashes) == 1
    assert np.array_equal(unsorted.data, held[0])  # the caller's matrix is not touched
    assert np.array_equal(unsorted.indices, held[1])
    padded = np.array(list("abab"), dtype="<U40")
    assert read(VALUES, label=padded).content_hash == read(VALUES, label=list("abab")).content_hash
    assert read(VALUES, label=list("abab")).content_hash != read(VALUES, label=list("abaa")).content_hash


def test_float32_array_is_not_copied():
    assert np.shares_memory(read(VALUES).values, VALUES)


def test_transpose(tmp_path):
    frame().T.to_csv(tmp_path / "t.csv")
    profiles = read(tmp_path / "t.csv", transpose=True)
    assert np.array_equal(profiles.values, VALUES)
    assert (profiles.samples, profiles.features) == (NAMES, GENES)
    turned = read(annotated(), transpose=True)
    assert (turned.samples, turned.features) == (GENES, NAMES)
    assert np.array_equal(turned.values.toarray(), VALUES.T)


def test_transposed_table_with_a_row_of_labels(tmp_path):
    frame(cluster=["a", "b", "a", "b"]).T.to_csv(tmp_path / "t.csv")
    profiles = read(tmp_path / "t.csv", transpose=True)
    assert np.array_equal(profiles.values, VALUES)
    assert list(profiles.labels) == list("abab")


def test_table_as_r_writes_it(tmp_path):
    (tmp_path / "r.tsv").write_text("g1\tg2\ns1\t1\t2\ns2\t3\t5\n")
    profiles = read(tmp_path / "r.tsv")
    assert (profiles.samples, profiles.features) == (("s1", "s2"), ("g1", "g2"))
    (tmp_path / "r.tsv").write_text("g1\tg2\n1\t1\t2\n2\t3\t5\n")  # rows numbered from 1
    assert read(tmp_path / "r.tsv").samples == ("1", "2")


def test_table_without_header_and_with_wavelengths(tmp_path):
    (tmp_path / "bare.csv").write_text("1,9,3\n4,5,6\n")
    bare = read(tmp_path / "bare.csv")
    assert bare.shape == (2, 3)
    assert any("no column names" in remark for remark in bare.remarks)
    (tmp_path / "waves.csv").write_text("400,410.5,420\n4,5,6\n5,5,7\n")
    assert read(tmp_path / "waves.csv").features == ("400", "410.5", "420")


def test_semicolons_are_seen_and_said(tmp_path):
    (tmp_path / "semi.csv").write_text("id;a;b\n7;1;2\n8;3;5\n")
    profiles = read(tmp_path / "semi.csv")
    assert profiles.features == ("a", "b")
    assert profiles.samples == ("7", "8")
    assert any("separated by ';'" in remark for remark in profiles.remarks)


def test_columns_are_taken_for_what_they_are():
    table = frame(donor=list("xxyy"), note=["p", "q", "r", "s"], flag=[True, False, True, True], target=[1, 0, 1, 0])
    profiles = read(table, group="donor")
    assert list(profiles.labels) == ["1", "0", "1", "0"]
    assert list(profiles.groups) == ["x", "x", "y", "y"]
    assert profiles.features == (*GENES, "flag")
    said = " ".join(profiles.remarks)
    assert all(word in said for word in ("'target'", "found by its name", "'donor'", "not used: 'note'", "'flag'"))


def test_coordinates_are_not_labels_and_labels_can_be_declined():
    table = pd.DataFrame({"x": [1, 2, 1, 2], "y": [1, 1, 2, 2]})
    assert read(table).features == ("x", "y")
    assert read(frame(label=[1, 2, 1, 2]), label="").features == (*GENES, "label")


def test_one_column_as_label_and_group():
    profiles = read(frame(donor=list("xxyy")), label="donor", group="donor")
    assert np.array_equal(profiles.labels, profiles.groups)


def test_repeated_names_are_numbered():
    table = pd.DataFrame(VALUES, columns=["a", "a", "b"])
    profiles = read(table)
    assert profiles.features == ("a", "a.1", "b")
    assert any("more than once" in remark for remark in profiles.remarks)
    doubled = annotated()
    doubled.obs_names = ["s", "s", "s-2", "t"]
    assert read(doubled).samples == ("s", "s-3", "s-2", "t")


def test_h5ad_layers_raw_and_remarks():
    data = annotated(louvain=pd.Categorical(["1", "2", None, "1"]))
    data.layers["counts"] = data.X * 2
    data.raw = data
    profiles = read(data)
    assert list(profiles.labels) == ["1", "2", "unlabelled", "1"]
    said = " ".join(profiles.remarks)
    assert "--layer counts" in said
    assert "--layer raw" in said
    assert "1 missing label" in said
    assert np.array_equal(read(data, layer="counts").values.toarray(), VALUES * 2)
    assert np.array_equal(read(data, layer="raw").values.toarray(), VALUES)


def test_npz_of_scipy_and_of_parts(tmp_path):
    matrix = sp.csr_matrix(VALUES)
    sp.save_npz(tmp_path / "scipy.npz", matrix)
    sp.save_npz(tmp_path / "csc.npz", matrix.tocsc())
    parts = {"X_data": matrix.data, "X_indices": matrix.indices.astype(np.uint16), "X_indptr": matrix.indptr}
    classes = {"y": np.array([1, 0, 1, -1]), "classes": np.array(["no", "yes"])}
    np.savez(tmp_path / "parts.npz", **parts, X_shape=np.array(matrix.shape), **classes)
    for name in ("scipy", "csc", "parts"):
        profiles = read(tmp_path / f"{name}.npz")
        assert profiles.is_sparse
        assert np.array_equal(profiles.values.toarray(), VALUES)
    assert list(profiles.labels) == ["yes", "no", "yes", "unlabelled"]


def test_images_are_flattened():
    profiles = read(np.arange(24.0).reshape(2, 3, 4))
    assert profiles.shape == (2, 12)
    assert "3 x 4" in profiles.remarks[0]


def test_bundled_sets():
    pancreas, digits = read("pancreas"), read("digits")
    assert pancreas.shape == (1937, 1000)
    assert pancreas.is_sparse
    assert pancreas.declared is None
    assert pancreas.values.max() == 4318
    assert len(set(pancreas.labels)) == 14
    assert "INS" in pancreas.features
    assert digits.shape == (1797, 64)
    assert digits.declared == "[0, 1]"
    assert digits.values.max() == 1
    assert set(digits.labels) == set("0123456789")
    assert set(BUNDLED) == {"pancreas", "digits"}


# ---- bad input -------------------------------------------------------------------------------------------------------


def refused(source, *words, **options):
    with pytest.raises(BadInput) as caught:
        read(source, **options)
    message = str(caught.value)
    assert message.startswith("expected ")
    for word in words:
        assert word in message, message
    return message


def spoilt(row, column, value):
    values = VALUES.copy()
    values[row, column] = value
    return values


def test_missing_file_suggests_a_neighbour(tmp_path):
    (tmp_path / "cells.csv").write_text("a,b\n1,2\n3,4\n")
    refused(tmp_path / "cell.csv", "does not exist", "Did you mean", "cells.csv")
    refused("pancrea", "Did you mean 'pancreas'?")
    refused(tmp_path / "nowhere" / "x.csv", "folder does not exist")
    refused(tmp_path, "a folder")


@pytest.mark.parametrize("suffix", list(SUFFIXES))
def test_empty_file(tmp_path, suffix):
    path = tmp_path / f"empty{suffix}"
    path.write_bytes(b"")
    refused(path, "an empty file")


def test_blank_and_unknown_files(tmp_path):
    (tmp_path / "blank.csv").write_text("\n \n")
    refused(tmp_path / "blank.csv", "an empty file")
    (tmp_path / "header.csv").write_text("a,b\n")
    refused(tmp_path / "header.csv", "no rows")
    (tmp_path / "table.xlsx").write_text("x")
    refused(tmp_path / "table.xlsx", ".csv", ".h5ad", "'table.xlsx'")


def test_text_in_a_numeric_column_is_located(tmp_path):
    (tmp_path / "t.csv").write_text("id,g1,g2\nc1,1,2\nc2,3,oops\nc3,4,5\n")
    refused(tmp_path / "t.csv", "'oops'", "row 2 ('c2')", "'g2'", "text in a numeric column")
    refused(pd.DataFrame({"a": [1, "b", 3], "c": [1, 2, 3]}), "'b'", "row 2", "'a'")
    (tmp_path / "first.csv").write_text("g1,g2\n0.5,1\noops,2\n0.7,5\n")  # not an id, though all cells differ
    refused(tmp_path / "first.csv", "'oops'", "row 2", "'g1'", "1 of 3 cells")


@pytest.mark.parametrize("wrap", [np.asarray, sp.csr_matrix, sp.csc_matrix, pd.DataFrame])
def test_nan_and_infinity_are_counted_and_located(wrap):
    values = spoilt(1, 2, np.nan)
    values[3, 0] = np.inf
    refused(wrap(values), "1 missing (NaN)", "1 infinite", "of 12 values", "row 2 ('sample 2')")


def test_missing_cells_of_tables(tmp_path):
    (tmp_path / "t.csv").write_text("id,g1,g2\nc1,1,2\nc2,3,\nc3,,5\n")
    refused(tmp_path / "t.csv", "2 missing (NaN)", "row 2 ('c2'), column 'g2'")
    refused(frame(g1=pd.array([1, None, 2, 3], dtype="Int64")), "1 missing", "row 2 ('s2'), column 'g1'")


def test_too_large_for_float32():
    refused(VALUES.astype(np.float64) * 1e39, "float32", "row 1 ('sample 1'), column 'feature 2'")
    assert any("rounds integers" in remark for remark in read(VALUES * 1e9).remarks)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (VALUES[:1], "a single row"),
        (VALUES[:, :1], "a single column"),
        (VALUES[:0], "no rows"),
        (VALUES[:, :0], "no numeric column"),
        (np.zeros((4, 3)), "nothing but zeros"),
        (sp.csr_matrix((4, 3)), "nothing but zeros"),
        (np.ones((4, 3)), "3 constant columns"),
        (np.ones(4), "1 dimension"),
        (np.ones((2, 2), dtype=complex), "complex"),
        (np.array([["a", "b"], ["c", "d"]]), "<U1"),
        ([[1, 2], [3]], "not a matrix"),
        (7, "0 dimension"),
    ],
)
def test_degenerate_values(values, word):
    refused(values, word)


def test_columns_and_layers_that_do_not_exist(tmp_path):
    table = frame(cell_type=list("abab"))
    refused(table, "Did you mean 'cell_type'?", label="cell_typ")
    refused(table, "group column", "Did you mean 'cell_type'?", group="celltype")
    refused(table, "id column", id_column="barcode")
    data = annotated(cell_type=list("abab"))
    data.layers["counts"] = data.X
    refused(data, "Did you mean 'cell_type'?", label="celltype")
    refused(data, "Did you mean 'counts'?", layer="count")
    refused(data, "found 'raw'", layer="raw")
    refused(table, "layer 'counts'", layer="counts")
    refused(VALUES, "layer 'counts'", layer="counts")
    refused(VALUES, "column name 'cell_type'", label="cell_type")
    refused("pancreas", "found 'yy'", label="yy")
    with pytest.raises(UnknownName):
        read(table, label="cell_typ")


def test_labels_of_the_wrong_length_or_all_different():
    refused(VALUES, "one label per row: 4", "found 3", label=["a", "b", "a"])
    refused(VALUES, "one group per row: 4", "found 1", group=["a"])
    refused(VALUES, "4 different values", label=list("abcd"))


@pytest.mark.parametrize("suffix", [".h5ad", ".npz", ".parquet", ".csv.gz", ".tsv.gz"])
@pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.9, 0.98])
def test_truncated_files(tmp_path, suffix, kept):
    write_all(tmp_path)
    whole = (tmp_path / f"d{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(whole[: int(len(whole) * kept)])
    refused(tmp_path / f"cut{suffix}", f"cut{suffix}", "damaged")


@pytest.mark.parametrize("suffix", [".h5ad", ".npz", ".npy", ".parquet", ".csv.gz", ".csv"])
def test_garbage_files(tmp_path, suffix):
    path = tmp_path / f"garbage{suffix}"
    path.write_bytes(b"\xff\xfe\x01garbage" * 50)
    refused(path, "damaged")


def test_truncated_npy_and_inside_of_npz(tmp_path):
    np.save(tmp_path / "d.npy", VALUES)
    whole = (tmp_path / "d.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-8])
    refused(tmp_path / "cut.npy", "damaged")
    np.savez_compressed(tmp_path / "d.npz", X=np.random.default_rng(0).random((50, 50)))
    blob = bytearray((tmp_path / "d.npz").read_bytes())
    blob[4000:4400] = bytes(400)
    (tmp_path / "hole.npz").write_bytes(blob)
    refused(tmp_path / "hole.npz", "damaged")


def test_hdf5_that_is_no_anndata(tmp_path):
    import h5py

    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["numbers"] = VALUES
    with pytest.raises(BadInput):
        read(tmp_path / "other.h5ad")


class Bomb:
    """Unpickling one leaves a mark."""

    opened = False

    def __reduce__(self):
        return _explode, ()


def _explode():
    Bomb.opened = True
    return "boom"


def test_pickles_are_refused_and_never_opened(tmp_path):
    bombs = np.empty((2, 2), dtype=object)
    bombs[:] = Bomb()
    np.save(tmp_path / "object.npy", bombs)
    np.savez(tmp_path / "object.npz", X=bombs)
    np.savez(tmp_path / "names.npz", X=VALUES, features=bombs)
    for suffix in ("npy", "npz"):
        (tmp_path / f"plain.{suffix}").write_bytes(pickle.dumps(Bomb()))
    for name in ("object.npy", "object.npz", "names.npz", "plain.npy", "plain.npz"):
        refused(tmp_path / name, "pickled", "Refused")
    assert not Bomb.opened


@pytest.mark.parametrize(
    "change",
    [
        {"X_shape": np.array([-4, 3])},
        {"X_shape": np.array([4])},
        {"X_shape": np.array([4, 2])},
        {"X_shape": np.array([9, 3])},
        {"X_indptr": np.array([0, 5, 2, 6, 7])},
        {"X_indices": np.array([0, 1])},
        {"X_indices": np.array([-1, 2, 0, 2, 0, 1, 0])},
    ],
)
def test_inconsistent_sparse_parts(tmp_path, change):
    matrix = sp.csr_matrix(VALUES)
    parts = {"X_data": matrix.data, "X_indices": matrix.indices, "X_indptr": matrix.indptr, "X_shape": matrix.shape}
    np.savez(tmp_path / "bad.npz", **{**parts, **change})
    refused(tmp_path / "bad.npz", "consistent parts")


def test_npz_without_a_matrix(tmp_path):
    np.savez(tmp_path / "two.npz", a=VALUES, b=VALUES)
    refused(tmp_path / "two.npz", "'a', 'b'", "under the name X")
    np.savez(tmp_path / "y.npz", X=VALUES, y=np.array([0, 1, 2, 1]), classes=np.array(["p", "q"]))
    refused(tmp_path / "y.npz", "class numbers below 2")


def test_parquet_without_pyarrow_says_how_to_install_it(tmp_path, monkeypatch):
    def absent(path):
        raise ImportError("no pyarrow")

    write_all(tmp_path)
    monkeypatch.setattr(pd, "read_parquet", absent)
    refused(tmp_path / "d.parquet", "pip install 'losslens[parquet]'")


def test_gzip_that_is_not(tmp_path):
    (tmp_path / "d.csv.gz").write_text("a,b\n1,2\n3,4\n")
    refused(tmp_path / "d.csv.gz", "damaged")
    with gzip.open(tmp_path / "good.csv.gz", "wt") as file:
        file.write("a,b\n1,2\n3,4\n")
    assert read(tmp_path / "good.csv.gz").shape == (2, 2)


def test_reading_needs_no_torch():
    import subprocess
    import sys

    script = "import sys, losslens.data.gate, losslens.data.splits, losslens.data.transforms, losslens.data.synthetic\n"
    script += "from losslens.data.readers import read; read('pancreas'); assert 'torch' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", script], check=True)
