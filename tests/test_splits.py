"""Splits: disjoint, complete, repeatable, different between repeats, fair to classes, never through a group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from losslens.data.splits import split
from losslens.vocabulary.errors import BadInput


def parts(one):
    return one.train, one.valid, one.test


def same(one, two):
    return all(np.array_equal(a, b) for a, b in zip(parts(one), parts(two), strict=True))


def check_partition(one, samples):
    together = np.concatenate(parts(one))
    assert np.array_equal(np.sort(together), np.arange(samples))  # complete, and no row twice
    for part in parts(one):
        assert part.dtype == np.int64
        assert len(part) > 0
        assert np.array_equal(part, np.sort(part))


labellings = st.integers(10, 120).flatmap(
    lambda n: st.tuples(st.just(n), st.none() | st.lists(st.sampled_from("abcdefghijkl"), min_size=n, max_size=n))
)


@settings(max_examples=150, deadline=None)
@given(labellings, st.integers(0, 50), st.integers(0, 2**32))
def test_any_labels_give_a_partition(drawn, repeat, seed):
    samples, labels = drawn
    labels = None if labels is None else np.array(labels)
    one = split(samples, labels, None, repeat=repeat, seed=seed)
    check_partition(one, samples)
    assert len(one.test) == round(0.2 * samples)
    assert len(one.valid) == round(0.16 * samples)
    assert same(one, split(samples, labels, None, repeat=repeat, seed=seed))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=30, max_size=80), st.integers(0, 20))
def test_groups_never_cross(numbers, repeat):
    groups = np.array([f"g{number}" for number in numbers])
    if len(np.unique(groups)) < 3:
        return
    one = split(len(groups), None, groups, repeat=repeat, seed=1)
    check_partition(one, len(groups))
    held = [set(groups[part]) for part in parts(one)]
    assert sum(len(names) for names in held) == len(set(groups))
    assert "groups kept together" in one.how


def test_groups_win_over_labels():
    groups = np.repeat(["a", "b", "c"], 10)
    one = split(30, np.tile(["x", "y"], 15), groups, repeat=0, seed=0)
    assert all(len(set(groups[part])) == 1 for part in parts(one))


@pytest.mark.parametrize("samples", [103, 500])
def test_class_shares_are_kept(samples):
    labels = np.random.default_rng(0).choice(list("abcd"), samples, p=[0.5, 0.3, 0.12, 0.08])
    for repeat in range(5):
        one = split(samples, labels, None, repeat=repeat, seed=3)
        for part in parts(one):
            for name in "abcd":
                share = (labels == name).sum() * len(part) / samples
                assert abs((labels[part] == name).sum() - share) <= 2
        assert one.how == "stratified by label"


def test_repeats_and_seeds_differ():
    labels = np.tile(["a", "b"], 50)
    drawn = [split(100, labels, None, repeat=repeat, seed=seed) for repeat in range(6) for seed in range(3)]
    tests = {one.test.tobytes() for one in drawn}
    assert len(tests) == len(drawn)


def test_every_row_is_tested_about_equally_often():
    times = np.zeros(50)
    for repeat in range(200):
        times[split(50, None, None, repeat=repeat, seed=0).test] += 1
    assert times.sum() == 200 * 10
    assert abs(times - 40).max() < 4.5 * np.sqrt(200 * 0.2 * 0.8)


def test_rare_classes_are_pooled_and_it_is_said():
    labels = np.array(["a"] * 50 + ["b"] * 40 + ["c"] * 4 + ["d"] * 5 + ["e"])
    one = split(100, labels, None, repeat=0, seed=0)
    check_partition(one, 100)
    assert "3 classes with fewer than 7 samples pooled" in one.how
    assert 1 <= np.isin(labels[one.test], ["c", "d", "e"]).sum() <= 3
    lonely = split(91, np.array(["a"] * 50 + ["b"] * 40 + ["c"]), None, repeat=0, seed=0)
    assert "1 class with fewer" in lonely.how
    alone = split(20, np.array([f"c{i // 2}" for i in range(20)]), None, repeat=0, seed=0)
    assert "at random" in alone.how
    assert split(20, None, None, repeat=0, seed=0).how == "at random"


def test_bad_requests():
    with pytest.raises(BadInput, match=r"at least 10 samples.*found 9"):
        split(9, None, None, repeat=0, seed=0)
    with pytest.raises(BadInput, match=r"at least 3 groups.*found 2"):
        split(20, None, np.repeat(["a", "b"], 10), repeat=0, seed=0)
    with pytest.raises(BadInput, match="below 1 together"):
        split(20, None, None, repeat=0, seed=0, test=0.6, valid=0.4)
