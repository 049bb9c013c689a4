"""Concentration of distances in data of one's own: against scipy, the analytic limit, and data of known structure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from losslens.measure import contrast, distances
from losslens.measure.contrast import EXPONENTS, view


def uniform(rows=300, features=1024, seed=0):
    return np.random.default_rng(seed).uniform(size=(rows, features))


def few_dimensions(rows=300, features=1024, rank=4):
    generator = np.random.default_rng(0)
    return generator.normal(size=(rows, rank)) @ generator.normal(size=(rank, features))


def of_scipy(values, exponent):
    kind = {"metric": "chebyshev"} if np.isinf(exponent) else {"metric": "minkowski", "p": exponent}
    return cdist(values, values, **kind)


@pytest.mark.parametrize("place", range(len(EXPONENTS)))
@pytest.mark.parametrize("zeros", [0.0, 0.9])
def test_contrast_is_that_of_the_distances_of_scipy(place, zeros):
    exponent = EXPONENTS[place]
    generator = np.random.default_rng(1)
    values = generator.normal(size=(40, 12)) * (generator.random((40, 12)) >= zeros)
    expected = of_scipy(values, exponent)
    found = distances.log_distances_under(values, values[3], EXPONENTS)[place]
    np.testing.assert_allclose(np.exp(found), expected[3], rtol=1e-10, atol=0)
    apart = [row[row > 0] for row in expected]
    contrasts = [row.max() / row.min() - 1 for row in apart]
    seen = view(values).contrasts[place]
    assert seen.median == pytest.approx(np.median(contrasts), rel=1e-9)
    assert (seen.low, seen.high) == pytest.approx(tuple(np.quantile(contrasts, [0.25, 0.75])), rel=1e-9)


def test_many_blocks_and_single_precision_give_the_same(monkeypatch):
    values = uniform(50, 100)
    whole = distances.log_distances_under(values, values[0], EXPONENTS)
    monkeypatch.setattr(distances, "BLOCK", 250)
    np.testing.assert_array_equal(distances.log_distances_under(values, values[0], EXPONENTS), whole)
    single = values.astype(np.float32)
    rough = distances.log_distances_under(single, single[0], EXPONENTS)
    np.testing.assert_allclose(rough[:, 1:], whole[:, 1:], atol=2e-5)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0, 4.0])
def test_the_contrast_of_two_uniform_points_tends_to_its_limit(exponent):
    generator, dimensions = np.random.default_rng(0), 1000
    points = generator.uniform(size=(3000, 2, dimensions))
    logs = np.array([distances.log_distances(pair, np.zeros(dimensions), exponent) for pair in points])
    contrasts = np.expm1(logs.max(axis=1) - logs.min(axis=1))
    limit = 2.0 / math.sqrt(math.pi) * math.sqrt(1.0 / (2.0 * exponent + 1.0))
    assert contrasts.mean() * math.sqrt(dimensions) == pytest.approx(limit, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_independent_features_fall_close_to_the_root(seed):
    found = view(uniform(200, 2048, seed), seed=seed)
    for each in found.contrasts:
        assert each.slope == pytest.approx(-0.5, abs=0.13), each
        assert each.slope == pytest.approx(each.independent_slope, abs=0.08), each
    assert "no flatter than independent features" in found.meaning


def test_data_of_few_dimensions_are_clearly_flatter():
    found = view(few_dimensions())
    for each in found.contrasts:
        assert each.slope > -0.15
    assert found.reference.slope > found.reference.independent_slope + 0.3
    assert "far fewer dimensions than features" in found.meaning
    scaled = [value * size**0.5 for value, size in zip(found.reference.by_size, found.sizes, strict=True)]
    assert scaled[-1] > 3 * scaled[0]


def test_shuffling_is_what_makes_the_comparison(monkeypatch):
    """Without it the slope of reference would be that of the data themselves."""

    class Unshuffled(np.random.Generator):
        def permuted(self, values, axis):
            return values

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Unshuffled(np.random.PCG64(seed)))
    found = view(few_dimensions_seeded())
    assert found.reference.slope == pytest.approx(found.reference.independent_slope, abs=0.1)


def few_dimensions_seeded():
    generator = np.random.Generator(np.random.PCG64(0))
    return generator.normal(size=(200, 4)) @ generator.normal(size=(4, 256))


def test_sizes_are_halves_down_to_a_sixty_fourth():
    assert view(uniform(40, 1024)).sizes == (16, 32, 64, 128, 256, 512, 1024)
    assert view(uniform(40, 100)).sizes == (6, 12, 25, 50, 100)
    few = view(uniform(40, 3))
    assert few.sizes == (3,)
    assert few.reference.slope is None
    assert "too few features" in few.meaning


def test_equal_rows_are_left_out_and_counted():
    values = uniform(30, 40)
    twice = np.concatenate([values, values])
    found = view(twice)
    assert found.equal[-1] == pytest.approx(1 / 59)
    assert np.isfinite([each.median for each in found.contrasts]).all()
    apart = view(values)
    assert found.reference.median == pytest.approx(apart.reference.median, rel=0.2)
    same = view(np.repeat([[1.0, 2.0], [3.0, 5.0]], 5, axis=0))
    assert same.reference.median == 0.0
    assert same.equal == (pytest.approx(4 / 9),)


def test_rows_that_are_all_equal_leave_nothing_to_say():
    found = view(np.ones((10, 3), dtype=np.float32))
    assert found.equal == (1.0,)
    assert math.isnan(found.reference.median)
    assert "too few features, or too many equal rows" in found.meaning


def test_constant_features_have_no_part():
    values = uniform(40, 20)
    padded = np.c_[values, np.full((40, 300), 7.0)]
    assert view(padded) == view(values)


def test_the_same_seed_draws_the_same_queries():
    values = uniform(500, 64)
    assert view(values, seed=3) == view(values, seed=3) != view(values, seed=4)
    assert view(values).queries == contrast.QUERIES


def test_label_agreement_is_counted_as_by_hand_and_has_an_interval():
    generator = np.random.default_rng(0)
    labels = np.array(["a", "b", "c"])[generator.integers(3, size=90)]
    values = generator.normal(size=(90, 30)) + 0.5 * (labels == "a")[:, None]
    found = view(values, labels)
    for each in found.contrasts:
        exact = of_scipy(values, each.exponent)
        np.fill_diagonal(exact, np.inf)
        share = (labels[np.argsort(exact, axis=1)[:, :10]] == labels[:, None]).mean()
        assert each.agreement.mean == pytest.approx(share)
        assert each.agreement.low < share < each.agreement.high
        if each.exponent != 2.0:
            assert each.versus.mean == pytest.approx(share - found.reference.agreement.mean)
    assert found.reference.versus is None
    assert found.chance == pytest.approx(np.mean([(labels == own).sum() - 1 for own in labels]) / 89)


def test_labels_that_mean_nothing_are_at_chance_and_no_exponent_stands_out():
    claims = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        values, labels = generator.normal(size=(150, 20)), generator.integers(2, size=150)
        found = view(values, labels, seed)
        assert found.reference.agreement.mean == pytest.approx(found.chance, abs=0.08)
        claims += "Compared with L2" in found.neighbours
    assert claims <= 4  # each at 5 %


def test_an_exponent_with_better_neighbours_is_named():
    """Classes that differ in one strong feature among many weak ones: the largest difference tells them best."""
    generator = np.random.default_rng(0)
    labels = np.repeat(["low", "high"], 100)
    values = generator.uniform(-1.0, 1.0, size=(200, 60))
    values[:, 0] += 6.0 * (labels == "high")
    found = view(values, labels)
    assert found.contrasts[0].versus.high < 0
    assert "less often under L0.1" in found.neighbours
    assert "most often under L" in found.neighbours


def test_labels_of_few_rows_or_one_class_are_not_judged():
    assert view(uniform(20, 10), np.array(["a", "b"] * 10)).chance is None
    one = view(uniform(60, 10), np.array(["a"] * 60))
    assert one.chance is None
    assert one.neighbours == ""
    assert one.reference.agreement is None
