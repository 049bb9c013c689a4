"""Yardsticks of the directions of codes, as work on self-supervised learning has them: codes on the unit sphere.

A code of zeros has no direction: it stays zero and has cosine 0 with all others. The mathematics are functions of
arrays, used wherever codes are judged, also while a network trains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from losslens.measure.evidence import Doubles, Evidence
from losslens.measure.metrics import metric
from losslens.measure.representation import balanced_accuracy, known

NEIGHBOURS, FEWEST_NEIGHBOURS, NEIGHBOUR_SHARE = 200, 5, 10
TEMPERATURE = 0.1
PAIR_SAMPLES = 4000
RANK_SAMPLES = 10_000
BLOCK_ENTRIES = 2**22  # cosines at a time
RESOLUTION = 1e-6  # deviation of a direction's entries that is rounding of float32

Codes = npt.NDArray[np.floating[Any]]


@metric(
    title="Weighted kNN balanced accuracy",
    unit="1 (share of samples, mean over classes)",
    higher_is_better=True,
    explanation="How often the training samples with the nearest directions in the code vote for a held-out sample's "
    "label, weighted by exp(cosine / 0.1), each class counting the same: 200 neighbours, and of fewer than 2,000 "
    "training samples a tenth, but no fewer than 5. Needs labels.",
)
def weighted_knn(evidence: Evidence) -> float | None:
    """Balanced accuracy of :func:`weighted_vote` on test codes; None without labels, as for ``knn_accuracy``."""
    if (told := known(evidence)) is None:
        return None
    return balanced_accuracy(told.labels, weighted_vote(told.train_code, told.train_labels, told.code))


@metric(
    title="Alignment",
    unit="1 (squared distance on the unit sphere)",
    higher_is_better=False,
    explanation="Mean squared distance of the directions of two views of one held-out sample (Wang and Isola, ICML "
    "2020): 0 when views do not matter, 2 when they have nothing in common. Only methods that learn from views have "
    "it, and a collapsed code has 0 as well.",
)
def alignment(evidence: Evidence) -> float | None:
    """Mean squared distance of the normalised codes of two views; None without views."""
    return None if evidence.views is None else alignment_of(*evidence.views)


@metric(
    title="Uniformity",
    unit="1 (logarithm)",
    higher_is_better=False,
    explanation="Logarithm of the mean of exp(-2 d\N{SUPERSCRIPT TWO}) over pairs of held-out codes at distance d on "
    "the unit sphere (Wang and Isola, ICML 2020). It is 0 when all codes agree, and near -4 when directions fill a "
    "sphere of many dimensions.",
)
def uniformity(evidence: Evidence) -> float | None:
    """Uniformity of at most 4000 held-out codes; None without two of them."""
    return _of_code(evidence, PAIR_SAMPLES, uniformity_of)


@metric(
    title="Embedding spread",
    unit="1 (0 to 1)",
    higher_is_better=True,
    explanation="Standard deviation of the entries of normalised held-out codes, mean over the entries, times the root "
    "of their number (Chen and He, CVPR 2021). It is 1 when directions are even, and 0 when the code has collapsed.",
)
def embedding_spread(evidence: Evidence) -> float | None:
    """Mean deviation of the entries of a direction; None without two held-out codes."""
    return _of_code(evidence, RANK_SAMPLES, spread_of)


@metric(
    title="Effective rank",
    unit="1 (number of directions)",
    higher_is_better=None,
    explanation="How many directions the normalised held-out codes vary in: the exponential of the entropy of the "
    "singular values of the centred codes (Roy and Vetterli, EUSIPCO 2007). A code that uses few of its units for "
    "most of what it says has a low one, and a collapsed code 0.",
)
def effective_rank(evidence: Evidence) -> float | None:
    """Effective rank of the directions of held-out codes; None without two of them."""
    return _of_code(evidence, RANK_SAMPLES, effective_rank_of)


def directions(codes: Codes) -> Doubles:
    """Rows divided by their norms, in float64; rows of zeros stay.

    >>> directions(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    rows = np.asarray(codes, dtype=np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1.0))


def neighbours_of(training: int) -> int:
    """How many neighbours vote: 200, or of a small training part a tenth, at least 5 where there are as many.

    >>> [neighbours_of(size) for size in (50_000, 1000, 30, 3)]
    [200, 100, 5, 3]
    """
    return min(NEIGHBOURS, max(FEWEST_NEIGHBOURS, training // NEIGHBOUR_SHARE), training)


def weighted_vote(
    train_code: Codes, train_labels: npt.NDArray[Any], code: Codes, neighbours: int | None = None
) -> npt.NDArray[Any]:
    r"""The label of each row of ``code`` for which the training codes with the nearest directions vote.

    :math:`\arg\max_y \sum_{i \in N_k,\, y_i = y} \exp(\cos(z, z_i) / 0.1)`, as work on self-supervised learning has
    it (Wu and others, CVPR 2018, with 0.07 in place of 0.1).

    Args:
        train_code: (training samples, code).
        train_labels: (training samples,), of any type that can be sorted.
        code: (samples, code).
        neighbours: how many vote; :func:`neighbours_of` the training part if not given.

    Returns:
        (samples,) of the type of ``train_labels``.

    >>> train, labels = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 9.0]]), np.array(["a", "b", "b"])
    >>> weighted_vote(train, labels, np.array([[2.0, 0.1]])).tolist()  # one vote that is nearest beats two
    ['a']
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    names, numbers = np.unique(train_labels, return_inverse=True)
    near, known_to = neighbours or neighbours_of(len(train_code)), directions(train_code).T
    rows, step = directions(code), max(1, BLOCK_ENTRIES // len(train_code))
    with threadpool_limits(1):
        parts = (rows[first : first + step] @ known_to for first in range(0, len(rows), step))
        return np.asarray(names[np.concatenate([_elected(part, numbers, len(names), near) for part in parts])])


def alignment_of(one: Codes, other: Codes) -> float:
    r"""Mean over rows of :math:`\lVert u_i - v_i \rVert^2` of normalised codes (samples, code) of two views.

    >>> alignment_of(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[3.0, 0.0], [0.0, -5.0]]))
    2.0
    """
    return float(np.square(directions(one) - directions(other)).sum(1).mean())


def uniformity_of(codes: Codes) -> float:
    r"""Logarithm of the mean of :math:`\exp(-2 \lVert u_i - u_j \rVert^2)` over pairs i < j of normalised codes.

    All pairs are held at once: 8 bytes for each.

    >>> uniformity_of(np.array([[1.0, 0.0], [-3.0, 0.0]]))
    -8.0
    """
    from scipy.spatial.distance import pdist
    from scipy.special import logsumexp

    exponents = -2.0 * pdist(directions(codes), "sqeuclidean")
    return float(logsumexp(exponents) - np.log(len(exponents))) + 0.0


def spread_of(codes: Codes) -> float:
    """Mean over the code of the standard deviation of normalised rows, times the root of the code's size.

    >>> spread_of(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])).__round__(12)
    1.0
    """
    rows = directions(codes)
    return float(rows.std(0).mean() * np.sqrt(rows.shape[1]))


def effective_rank_of(codes: Codes) -> float:
    """Exponential of the entropy of the singular values of centred directions; 0 where all agree.

    >>> effective_rank_of(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])).__round__(12)
    2.0
    """
    from scipy.special import entr

    rows = directions(codes)
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    total = values.sum()
    if total <= RESOLUTION * np.sqrt(len(rows)):
        return 0.0
    return float(np.exp(entr(values / total).sum()))


def _of_code(evidence: Evidence, limit: int, compute: Callable[[Codes], float]) -> float | None:
    """A figure of so many held-out codes, on one thread; None without two of them."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    if evidence.code is None or len(evidence.code) < 2:
        return None
    with threadpool_limits(1):
        return compute(evidence.code[evidence.draw(len(evidence.code), limit)])


def _elected(cosines: Doubles, labels: npt.NDArray[Any], classes: int, near: int) -> npt.NDArray[np.int64]:
    """The class with most votes of the nearest, for each row of (samples, training samples)."""
    place = np.argpartition(cosines, -near, axis=1)[:, -near:]
    weights = np.exp(np.take_along_axis(cosines, place, axis=1) / TEMPERATURE)
    votes = np.zeros((len(cosines), classes))
    np.add.at(votes, (np.arange(len(cosines))[:, None], labels[place]), weights)
    return np.asarray(votes.argmax(1))
