"""Evidence: everything a yardstick may look at, from the held-out pass of one trained model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from losslens.measure.clusters import cluster
from losslens.vocabulary.errors import BadInput

Measure = Literal["mass", "density"]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.str_]
Indices = npt.NDArray[np.int64]

SPARSE_SHARE = 0.3
BLOCK_ENTRIES = 2**18  # two float64 blocks of this size stay in a core's cache
CLUSTER_SAMPLES = 10_000


@dataclass(frozen=True, eq=False)
class Posterior:
    """What a variational model says of itself on the held-out part.

    ``bound`` (samples,) is the negative importance-weighted bound of each profile in nats, over all codes, of the same
    measure as the evidence's nats, or None for losses that are no likelihood; ``kl_weight`` is the weight of the
    divergence beside half the squared error (or beside nats, for data that are not real numbers), or None where the
    loss has no such scale.
    """

    bound: Doubles | None
    kl_weight: float | None


@dataclass(frozen=True, eq=False)
class Spread:
    """What a model of counts expects beside what was seen on the held-out part.

    Shares of zeros by feature and by sample, variances and means of counts over samples by feature.
    """

    zeros_seen: Doubles
    zeros_expected: Doubles
    row_zeros_seen: Doubles
    row_zeros_expected: Doubles
    variance_seen: Doubles
    variance_expected: Doubles
    mean_seen: Doubles


@dataclass(frozen=True, eq=False)
class Hidden:
    """Values of held-out profiles that the model was not shown, (values,), what it said of them, and their means."""

    seen: Doubles
    said: Doubles
    mean: Doubles


@dataclass(frozen=True, eq=False)
class Evidence:
    """Held-out profiles beside their reconstructions, in one stated working space, with codes and labels.

    ``target`` and ``prediction`` are (samples, features), ``train_mean`` (features,) is the mean profile of the
    training part, ``code`` (samples, code) and ``train_code`` (training samples, code) are the encoder's output,
    ``nats`` (samples,) is the held-out negative log-likelihood of each profile, of counts or zeros and ones
    (``measure="mass"``) or of real numbers (``"density"``): the two are not comparable. ``posterior`` and ``spread``
    are there for variational models and for models of counts, ``said`` (samples,) are the labels that a classifier
    gave, ``hidden`` are values that the model had to tell from the others of their profiles, ``views`` are the codes,
    (samples, code) each, of two views of every held-out sample. ``seed`` draws subsamples and starts k-means: give
    all models of one repeat the same. Everything becomes text or float32 (nats: float64), contiguous; what has that
    form already is not copied.

    Raises:
        BadInput: shapes disagree, a value is missing or infinite (training diverged), or nats come without a measure.

    >>> Evidence(np.eye(3), np.ones((3, 3)), np.zeros(3)).sparse
    True
    >>> Evidence(np.eye(3), np.ones((3, 2)), np.zeros(3))
    Traceback (most recent call last):
    losslens.vocabulary.errors.BadInput: expected prediction of shape (3, 3), found (3, 2).
    """

    target: Floats
    prediction: Floats
    train_mean: Floats
    code: Floats | None = None
    labels: Labels | None = None
    train_code: Floats | None = None
    train_labels: Labels | None = None
    nats: Doubles | None = None
    measure: Measure | None = None
    seed: int = 0
    posterior: Posterior | None = None
    spread: Spread | None = None
    said: Labels | None = None
    hidden: Hidden | None = None
    views: tuple[Floats, Floats] | None = None

    def __post_init__(self) -> None:
        """Bring every array into its form, and refuse what does not fit together."""
        samples, features = self._put("target", (None, None))
        self._put("prediction", (samples, features))
        self._put("train_mean", (features,))
        self._put("nats", (samples,), np.float64)
        self._put("labels", (samples,), np.str_)
        self._put("said", (samples,), np.str_)
        _, width = self._put("code", (samples, None)) or (0, None)
        training = (self._put("train_code", (None, width)) or (None,))[0]
        self._put("train_labels", (training,), np.str_)
        self._put_views((samples, width))
        for told in (self.posterior, self.spread, self.hidden):
            _check_told(told)
        _check_measure(self)

    def _put(self, name: str, shape: tuple[int | None, ...], kind: type[np.generic] = np.float32) -> tuple[int, ...]:
        if (value := getattr(self, name)) is None:
            return ()
        array = _formed(name, value, shape, kind)
        object.__setattr__(self, name, array)
        return array.shape

    def _put_views(self, shape: tuple[int | None, ...]) -> None:
        if self.views is None:
            return
        if len(self.views) != 2:
            raise BadInput(expected="codes of two views", found=str(len(self.views)))
        first = _formed("views", self.views[0], shape, np.float32)
        object.__setattr__(self, "views", (first, _formed("views", self.views[1], first.shape, np.float32)))

    @cached_property
    def sparse(self) -> bool:
        """Whether at least 30 % of the entries of the target are exactly zero."""
        zeros = self.target.size - int(np.count_nonzero(self.target))
        return zeros >= SPARSE_SHARE * self.target.size

    @cached_property
    def clusters(self) -> tuple[Labels, Indices] | None:
        """Labels and k-means clusters, one cluster a class, of at most 10 000 held-out codes, computed once.

        None without codes or labels, with one class only, or with no two samples of one class.
        """
        if self.code is None or self.labels is None:
            return None
        drawn = self.draw(len(self.code), CLUSTER_SAMPLES)
        labels = self.labels[drawn]
        classes = len(np.unique(labels))
        return (labels, cluster(self.code[drawn], classes, self.seed)) if 2 <= classes < len(labels) else None

    def draw(self, samples: int, limit: int) -> Indices:
        """At most ``limit`` of so many samples, in random order; the same ones every time."""
        return np.random.default_rng(self.seed).permutation(samples)[:limit]

    def blocks(self) -> Iterator[tuple[Doubles, Doubles]]:
        """Target and prediction in float64, a few rows at a time: what yardsticks add up over.

        Sums of float32 over a whole matrix are wrong by a percent at 1e8 entries, and a float64 copy of it
        would not fit where the matrix just does.
        """
        rows = max(1, BLOCK_ENTRIES // self.target.shape[1])
        for start in range(0, len(self.target), rows):
            part = slice(start, start + rows)
            yield self.target[part].astype(np.float64), self.prediction[part].astype(np.float64)


def _formed(name: str, value: Any, shape: tuple[int | None, ...], kind: type[np.generic]) -> npt.NDArray[Any]:
    """The value as a contiguous array of that kind and shape, finite."""
    _check_shape(name, np.shape(value), shape)
    with np.errstate(over="ignore"):  # too large for float32 is found below, and said
        array: npt.NDArray[Any] = np.ascontiguousarray(value, dtype=kind)
    if kind is not np.str_:
        _check_finite(name, array)
    return array


def _check_shape(name: str, found: tuple[int, ...], expected: tuple[int | None, ...]) -> None:
    fits = len(found) == len(expected) and all(e in (None, f) and f > 0 for f, e in zip(found, expected, strict=True))
    if not fits:
        sizes = ", ".join("at least 1" if size is None else str(size) for size in expected)
        raise BadInput(
            expected=f"{name} of shape ({sizes}{',' if len(expected) == 1 else ''})", found=str(tuple(found))
        )


def _check_finite(name: str, array: npt.NDArray[Any]) -> None:
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise BadInput(
            expected=f"finite values in {name}",
            found=f"{bad} of {array.size} missing or infinite",
            remedy="A model that gives such values has diverged and cannot be judged; try a lower learning rate.",
        )


def _check_told(told: Posterior | Spread | Hidden | None) -> None:
    for name, value in () if told is None else vars(told).items():
        if value is not None:
            _check_finite(name, np.asarray(value))


def _check_measure(evidence: Evidence) -> None:
    if evidence.measure not in (None, *get_args(Measure)):
        raise BadInput(expected="measure 'mass' or 'density'", found=repr(evidence.measure))
    if evidence.nats is not None and evidence.measure is None:
        raise BadInput(
            expected="a measure, 'mass' or 'density', with nats",
            found="None",
            remedy="Nats of counts and nats of real numbers are not comparable.",
        )
