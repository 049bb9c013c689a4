"""Data of every kind, with known truth, for tests of the advice."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from losslens.data import synthetic
from losslens.data.gate import look
from losslens.data.profiles import Profiles
from losslens.data.readers import read
from losslens.data.working import sample, shape
from losslens.data.zero_inflation import zero_shares
from losslens.run.situation import Situation


def _made(values: np.ndarray, kind: str | None = None) -> Profiles:
    return replace(read(values), declared=kind)


def _counts() -> Profiles:
    return synthetic.negative_binomial_counts(400, 40)


def _per_depth() -> np.ndarray:
    counts = np.asarray(_counts().values, dtype=np.float64)
    return 2e3 * counts / counts.sum(axis=1, keepdims=True)


def _lost() -> Profiles:
    """Counts of which three in ten were lost to zero."""
    counts = _counts()
    kept = np.random.default_rng(3).random(counts.shape) > 0.3
    return counts.with_values((np.asarray(counts.values) * kept).astype(np.float32))


DATA = {
    "raw counts": _counts,
    "poisson counts": lambda: _made(np.random.default_rng(0).poisson(3.0, (300, 30))),
    "counts with lost ones": _lost,
    "few counts": lambda: synthetic.negative_binomial_counts(300, 40, depth=0.5),
    "log-normalised": lambda: _made(np.log1p(_per_depth())),
    "TPM-like": lambda: _made(_per_depth()),
    "bounded integers": lambda: _made(np.random.default_rng(0).integers(0, 17, (300, 30)), "bounded integers"),
    "[0, 1]": lambda: synthetic.unit_interval(300, 30),
    "binary": lambda: synthetic.binary(300, 30),
    "non-negative": lambda: _made(np.random.default_rng(0).gamma(3.0, 2.0, (300, 30))),
    "real": lambda: synthetic.gaussian_noise(300, 30),
    "heavy-tailed": lambda: _made(np.random.default_rng(0).standard_t(2.5, (800, 30)) * np.arange(1, 31)),
    "z-scored": lambda: synthetic.direction_only(800, 30),
}
GOALS = ("direction", "magnitude", "likelihood", "code")


@cache
def profiles(name: str) -> Profiles:
    """The data of that name."""
    return DATA[name]()


@cache
def situation(name: str, goal: str | None = None) -> Situation:
    """What the advice on these data depends on."""
    given = profiles(name)
    seen = look(given)
    figures = shape(sample(given, seen), seen.kind.domain)
    zeros = zero_shares(given) if seen.kind.counts else None
    return Situation(seen, figures, zeros, goal or seen.kind.goal, 0 if given.labels is None else 4)
