"""Concentration of distances: the published rows measured again, and the arithmetic behind them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from tests.small_runs import call

from losslens.measure import concentration, distances


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0, 4.0, np.inf])
def test_distances_are_those_of_scipy(exponent):
    points = np.random.default_rng(0).normal(size=(20, 6))
    kind = {"metric": "chebyshev"} if np.isinf(exponent) else {"metric": "minkowski", "p": exponent}
    expected = cdist(points[:1], points[1:], **kind)[0]
    np.testing.assert_allclose(np.exp(distances.log_distances(points[1:], points[0], exponent)), expected)


def test_a_fractional_distance_in_thousands_of_dimensions_stays_in_range():
    points = np.random.default_rng(0).uniform(size=(5, 5000))
    assert np.isfinite(distances.log_distances(points, np.zeros(5000), 0.1)).all()
    assert 0.0 < distances.relative_contrast(points, np.zeros(5000), 0.1) < 10.0


def test_the_published_shares_come_out_again():
    for row in concentration.shares(trials=20_000):
        assert abs(row.difference) <= 1.5, row


@pytest.mark.parametrize("exponent", [1.0, 2.0, 4.0])
def test_contrast_of_two_points_falls_with_the_root_of_the_dimension(exponent):
    generator, dimensions, trials = np.random.default_rng(0), 1000, 4000
    logs = [np.log((generator.uniform(size=(trials, dimensions)) ** exponent).sum(1)) / exponent for _ in range(2)]
    contrast = np.expm1(np.abs(logs[0] - logs[1])).mean() * math.sqrt(dimensions)
    assert contrast == pytest.approx(2.0 / math.sqrt(math.pi) / math.sqrt(2.0 * exponent + 1.0), rel=0.05)


def test_breast_cancer_neighbours_agree_where_the_protocol_is_determined():
    rows = {row.what: row for row in concentration.breast_cancer()}
    assert abs(rows["random"].difference) < 38.0  # the standard deviation of 5,690 draws
    assert all(abs(rows[name].difference) <= 10 for name in ("L0.1", "L0.5", "L1"))
    assert all(rows[name].difference > 50 for name in ("L2", "L4", "L10", "Linf"))  # said where they are shown


def test_the_command_prints_ours_beside_theirs_and_the_counter_evidence():
    shown = call("reproduce", "concentration", "--trials", "500")
    assert shown.status == 0
    assert "2004.14230" in shown.out
    assert "5,299" in shown.out
    found = json.loads(call("reproduce", "concentration", "--trials", "500", "--json").out)
    assert [record["published"] for record in found["label matches"]][:2] == [5299, 5268]
    wrong = call("reproduce", "concentratoin")
    assert wrong.status == 2
    assert "Did you mean 'concentration'" in wrong.err
