"""Transforms: right values, fitted on training rows only, sparse stays sparse, and back again."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from losslens.data.transforms import TRANSFORMS, Transform, fit_transform_named, library
from losslens.vocabulary.errors import BadInput, UnknownName

RANDOM = np.random.default_rng(3)
COUNTS = RANDOM.negative_binomial(1, 0.2, (40, 12)).astype(np.float32)
COUNTS[:, 5], COUNTS[35] = 2, 0  # constant in training, and a profile without counts
TRAIN = np.arange(0, 30)
KEEPS_ZEROS = [name for name in TRANSFORMS if name != "standardise"]


def expected(name):
    """Every transform again, in float64 and written out."""
    exact = COUNTS.astype(np.float64)
    total = exact.sum(axis=1)
    target = np.median(total[TRAIN][total[TRAIN] > 0])
    spread = exact[TRAIN].std(axis=0)
    spread[spread == 0] = 1
    with np.errstate(invalid="ignore"):
        scaled = np.nan_to_num(exact / total[:, None]) * target
    return {
        "none": exact,
        "log1p": np.log1p(exact),
        "library_log": np.log1p(scaled),
        "standardise": (exact - exact[TRAIN].mean(axis=0)) / spread,
        "unit_scale": exact / 100,
    }[name]


def fitted(name, values=COUNTS):
    return fit_transform_named(name, values[TRAIN], cap=100)


@pytest.mark.parametrize("name", list(TRANSFORMS))
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_matrix])
def test_values_are_right(name, convert):
    matrix = convert(COUNTS)
    out = fitted(name, matrix).apply(matrix)
    assert out.dtype == np.float32
    assert sp.issparse(out) == (sp.issparse(matrix) and name in KEEPS_ZEROS)
    dense = out.toarray() if sp.issparse(out) else out
    np.testing.assert_allclose(dense, expected(name), rtol=2e-6, atol=2e-6)
    assert np.array_equal(matrix.toarray() if sp.issparse(matrix) else matrix, COUNTS)  # the input is untouched


@pytest.mark.parametrize("name", list(TRANSFORMS))
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_matrix])
def test_rows_are_a_part_of_the_whole(name, convert):
    rows, matrix = np.array([35, 3, 7]), convert(COUNTS)
    transform = fitted(name, matrix)
    part, whole = transform.apply(matrix, rows), transform.apply(matrix)[rows]
    assert np.array_equal(*(m.toarray() if sp.issparse(m) else m for m in (part, whole)))


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_only_training_rows_matter(name):
    other = COUNTS.copy()
    other[30:] = 17
    one, two = fitted(name).arrays(), fitted(name, other).arrays()
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_inverse(name):
    transform = fitted(name)
    back = transform.invert(transform.apply(COUNTS), library(COUNTS))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, COUNTS, rtol=1e-5, atol=1e-4)


def test_inverse_without_library_is_at_the_training_median():
    transform = fitted("library_log")
    back = transform.invert(transform.apply(COUNTS))
    totals = back.sum(axis=1)
    np.testing.assert_allclose(totals[library(COUNTS) > 0], transform.arrays()["target"], rtol=1e-4)
    assert totals[35] == 0


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_saved_as_plain_arrays(name, tmp_path):
    transform = fitted(name)
    np.savez(tmp_path / "t.npz", **transform.arrays())
    with np.load(tmp_path / "t.npz", allow_pickle=False) as arrays:
        again = Transform.from_arrays(name, dict(arrays))
    assert (again.name, again.space) == (name, transform.space)
    assert np.array_equal(again.apply(COUNTS), transform.apply(COUNTS))


def test_spaces_name_their_units():
    assert fitted("none").space == "data units, unchanged"
    assert fitted("unit_scale").space == "data units divided by 100"
    target = float(np.median(COUNTS[TRAIN].sum(axis=1)))
    assert fitted("library_log").space == f"log1p of counts scaled to {target:,.0f} per profile"


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_matrix])
def test_library_is_the_sum_over_features(convert):
    assert np.array_equal(library(convert(COUNTS)), COUNTS.sum(axis=1))
    assert library(convert(COUNTS)).dtype == np.float32


@pytest.mark.parametrize(("highest", "cap"), [(16, 16), (250, 255), (255, 255), (5, 5), (300, 300), (0, 1)])
def test_unit_scale_knows_common_limits(highest, cap):
    values = np.array([[0, highest], [highest / 4, 0]], dtype=np.float32)
    assert fit_transform_named("unit_scale", values).arrays()["cap"] == cap


def test_values_outside_what_was_fitted_are_refused():
    with pytest.raises(BadInput, match="up to 100"):
        fitted("unit_scale").apply(COUNTS + 100)
    for name in ("log1p", "library_log", "unit_scale"):
        with pytest.raises(BadInput, match="non-negative"):
            fitted(name).apply(-COUNTS)
    with pytest.raises(UnknownName, match="Did you mean 'log1p'"):
        fit_transform_named("log1", COUNTS)


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.integers(2, 8), st.integers(1, 6)), elements=st.integers(0, 2**16)),
    st.sampled_from(list(TRANSFORMS)),
)
def test_any_counts_there_and_back(counts, name):
    transform = fit_transform_named(name, counts)
    for matrix in (counts, sp.csr_matrix(counts)):
        out = transform.apply(matrix)
        dense = out.toarray() if sp.issparse(out) else out
        assert np.isfinite(dense).all()
        np.testing.assert_allclose(transform.invert(dense, library(counts)), counts, rtol=1e-4, atol=1e-2)
