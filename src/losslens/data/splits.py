"""Splits into training, validation and test part: random, seeded, stratified by label, never through a group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from losslens.data.profiles import Indices
from losslens.vocabulary.errors import BadInput

FEWEST_SAMPLES = 10
FEWEST_GROUPS = 3
Strings = npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Split:
    """Sorted row numbers of the three parts, and how they were drawn."""

    train: Indices
    valid: Indices
    test: Indices
    how: str


def split(
    samples: int,
    labels: Strings | None,
    groups: Strings | None,
    *,
    repeat: int,
    seed: int,
    test: float = 0.2,
    valid: float = 0.16,
) -> Split:
    """Draw the split of one repeat; the same arguments give the same split.

    ``test`` and ``valid`` are shares of all samples (of all groups, if there are groups).

    Raises:
        BadInput: too few samples or groups, or shares that leave nothing to train on.
    """
    _check(samples, groups, test, valid)
    seeds = [int(number) for number in np.random.SeedSequence([seed, repeat]).generate_state(2)]
    if groups is not None:
        return _by_group(groups, seeds, test, valid)
    strata, how = _strata(samples, labels, smallest=math.ceil(1 / min(test, valid)))
    everything = np.arange(samples, dtype=np.int64)
    rest, tested = _draw(everything, strata, _size(samples, test), seeds[0])
    train, validated = _draw(rest, strata, _size(samples, valid), seeds[1])
    return Split(train, validated, tested, how)


def _check(samples: int, groups: Strings | None, test: float, valid: float) -> None:
    if samples < FEWEST_SAMPLES:
        raise BadInput(
            expected=f"at least {FEWEST_SAMPLES} samples to split into training, validation and test part",
            found=str(samples),
            remedy="Add samples (rows).",
        )
    if not (test > 0 and valid > 0 and test + valid < 1):
        raise BadInput(
            expected="positive shares for test and validation, below 1 together", found=f"{test} and {valid}"
        )
    if groups is not None and len(np.unique(groups)) < FEWEST_GROUPS:
        raise BadInput(
            expected=f"at least {FEWEST_GROUPS} groups, one for each part of a split",
            found=str(len(np.unique(groups))),
            remedy="Leave the group column out, or name one with more groups.",
        )


def _size(samples: int, share: float) -> int:
    return max(1, round(samples * share))


def _draw(rows: Indices, strata: Strings | None, size: int, seed: int) -> tuple[Indices, Indices]:
    """The rows left over and ``size`` rows drawn from them, both sorted."""
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    splitter: Any = ShuffleSplit if strata is None else StratifiedShuffleSplit
    drawn = splitter(n_splits=1, test_size=size, random_state=seed)
    rest, picked = next(drawn.split(rows, None if strata is None else strata[rows]))
    return np.sort(rows[rest]), np.sort(rows[picked])


def _strata(samples: int, labels: Strings | None, smallest: int) -> tuple[Strings | None, str]:
    """Classes, with those too small for all three parts pooled; None if nothing is left to stratify by."""
    if labels is None:
        return None, "at random"
    classes, members, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    rare = sizes < smallest
    strata = np.where(rare, len(classes), np.arange(len(classes)))
    if 0 < sizes[rare].sum() < smallest:  # the pool itself is too small: it joins the largest class
        strata[rare] = int(np.argmax(sizes))
    pooled = strata[members].astype(str)
    if len(np.unique(pooled)) < 2:
        return None, "at random (the classes are too few or too small to stratify by)"
    return pooled, f"stratified by label{_say_pooled(int(rare.sum()), smallest)}"


def _say_pooled(number: int, smallest: int) -> str:
    if not number:
        return ""
    classes = "1 class" if number == 1 else f"{number} classes"
    return f"; {classes} with fewer than {smallest} samples pooled"


def _by_group(groups: Strings, seeds: list[int], test: float, valid: float) -> Split:
    """Test and validation part are whole groups."""
    names = np.unique(groups)
    rest, tested = _draw(np.arange(len(names), dtype=np.int64), None, _size(len(names), test), seeds[0])
    train, validated = _draw(rest, None, _size(len(names), valid), seeds[1])
    members = [np.flatnonzero(np.isin(groups, names[part])).astype(np.int64) for part in (train, validated, tested)]
    return Split(members[0], members[1], members[2], how=f"whole groups kept together ({len(names)} groups)")
