"""Yardsticks of the code: what of the data's neighbourhoods and classes it keeps.

Distances are Euclidean in the code as it stands, not standardised: those are the distances that a user
of the code meets, and scaling every direction to one variance would count the rounding noise of a dead
direction as much as a live one. Everything runs on one thread with the evidence's seed, so that equal
evidence gives equal numbers, and on a random part of very large sets.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from losslens.measure.evidence import Evidence, Indices
from losslens.measure.metrics import metric

NEIGHBOURS = 15
TRUST_SAMPLES = 2000
FEWEST_SAMPLES = 10
FEATURE_BLOCK = 512
VOTES = 5
KNN_TRAINING, KNN_TEST = 50_000, 10_000
RANK_SAMPLES, SAME = 500, 1e-6
PROBE_STRENGTH, PROBE_STEPS = 1.0, 200


@metric(
    title="Trustworthiness",
    unit="1 (0 to 1)",
    higher_is_better=True,
    goal="code",
    explanation="Whether the nearest 15 neighbours of a held-out sample in the code are near it in the data as well; "
    "0.5 is chance, 1 perfect. Needs no labels; small sets use fewer neighbours.",
)
def trustworthiness(evidence: Evidence) -> float | None:
    """Neighbourhood preservation (Venna and Kaski, 2001); None without a code or with fewer than 10 samples.

    Samples are taken in random order, at most 2000 of them: neighbours at equal distance (a collapsed code)
    are then random ones, and not those that happen to stand next in the file.
    """
    if evidence.code is None or len(evidence.code) < FEWEST_SAMPLES:
        return None
    from sklearn.manifold import trustworthiness as measured
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    drawn = evidence.draw(len(evidence.code), TRUST_SAMPLES)
    neighbours = min(NEIGHBOURS, (len(drawn) - 1) // 2)
    code = evidence.code[drawn].astype(np.float64)  # scikit-learn adds it up, which overflows in float32
    with threadpool_limits(1):
        distances = _squared_distances(evidence.target, drawn)
        return float(measured(distances, code, n_neighbors=neighbours, metric="precomputed"))


@metric(
    title="kNN balanced accuracy",
    unit="1 (share of samples, mean over classes)",
    higher_is_better=True,
    goal="code",
    explanation="How often the 5 nearest training samples in the code vote for a held-out sample's label, each class "
    "counting the same. Needs labels; chance is one over the number of classes.",
)
def knn_accuracy(evidence: Evidence) -> float | None:
    """Balanced accuracy of 5 nearest neighbours from training codes to test codes; None without labels.

    Test samples of a label that the training part lacks are left out: no code could get them right.
    None if the training part has fewer than two labels.
    """
    known = _known(evidence)
    if known is None:
        return None
    return _balanced_accuracy(known.labels, _vote(known.train_code, known.train_labels, known.code))


@metric(
    title="Linear probe",
    unit="1 (share of samples, mean over classes)",
    higher_is_better=True,
    explanation="Balanced accuracy on held-out samples of a logistic regression from standardised training codes to "
    "labels: what a straight line can read from the code. Needs labels.",
)
def linear_probe(evidence: Evidence) -> float | None:
    """Balanced accuracy of a logistic regression on the codes; None without labels of at least two classes."""
    known = _known(evidence)
    if known is None:
        return None
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=PROBE_STRENGTH, max_iter=PROBE_STEPS))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the steps are few on purpose, and the same for all
        said = probe.fit(known.train_code, known.train_labels).predict(known.code)
    return _balanced_accuracy(known.labels, np.asarray(said, dtype=np.str_))


@metric(
    title="Classifier",
    unit="1 (share of samples, mean over classes)",
    higher_is_better=True,
    explanation="Balanced accuracy of the labels that a classifier trained with them gives to held-out samples. Only "
    "classifiers have it.",
)
def classifier_accuracy(evidence: Evidence) -> float | None:
    """Balanced accuracy of the model's own labels; None where it gives none.

    Test samples of a label that the training part lacks are left out, as for :func:`knn_accuracy`.
    """
    if evidence.said is None or evidence.labels is None or evidence.train_labels is None:
        return None
    known = np.isin(evidence.labels, evidence.train_labels)
    return _balanced_accuracy(evidence.labels[known], evidence.said[known]) if known.any() else None


@metric(
    title="k-means ARI",
    unit="1 (0 is chance, 1 perfect)",
    higher_is_better=True,
    explanation="Agreement of k-means clusters of the held-out codes with the labels: the adjusted Rand index. It "
    "jumps from one start or split to the next, so it is shown but never decides.",
)
def kmeans_ari(evidence: Evidence) -> float | None:
    """Adjusted Rand index of k-means on the test codes, one cluster a class; None without two classes."""
    if evidence.clusters is None:
        return None
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(*evidence.clusters))


@metric(
    title="k-means NMI",
    unit="1 (0 to 1)",
    higher_is_better=True,
    explanation="Information that k-means clusters of the held-out codes and the labels share, over the mean of their "
    "entropies. It is above 0 by chance when classes are many and small, and is shown but never decides.",
)
def kmeans_nmi(evidence: Evidence) -> float | None:
    """Normalised mutual information of k-means on the test codes with the labels; None without two classes."""
    if evidence.clusters is None:
        return None
    from sklearn.metrics import normalized_mutual_info_score

    return min(1.0, float(normalized_mutual_info_score(*evidence.clusters)))


@metric(
    title="Effective rank",
    unit="1 (number of directions)",
    higher_is_better=None,
    explanation="How many directions held-out codes vary in, small ones counting little: the exponential of the "
    "entropy of their singular values (Roy and Vetterli, EUSIPCO 2007), of at most 500 samples. A code that has "
    "collapsed has few.",
)
def effective_rank(evidence: Evidence) -> float | None:
    """Effective rank of the centred codes; None without a code or with fewer than two samples, 0 if all are one."""
    if evidence.code is None or len(evidence.code) < 2:
        return None
    return spectral_rank(evidence.code[evidence.draw(len(evidence.code), RANK_SAMPLES)])


def spectral_rank(rows: npt.NDArray[Any]) -> float:
    """The exponential of the entropy of the singular values of centred rows; 0 if they differ by rounding alone.

    >>> round(spectral_rank(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 4)
    2.0
    """
    wide = rows.astype(np.float64)
    values = np.linalg.svd(wide - wide.mean(0), compute_uv=False)
    if values[0] <= SAME * np.abs(wide).max() * np.sqrt(wide.size):
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


class _Known(NamedTuple):
    """Codes and labels of training and test samples, the test samples of labels that the training part has."""

    train_code: npt.NDArray[np.float64]
    train_labels: npt.NDArray[np.str_]
    code: npt.NDArray[np.float64]
    labels: npt.NDArray[np.str_]


def _known(evidence: Evidence) -> _Known | None:
    if evidence.code is None or evidence.labels is None or evidence.train_code is None or evidence.train_labels is None:
        return None
    training = evidence.draw(len(evidence.train_labels), KNN_TRAINING)
    labels = evidence.train_labels[training]
    test = evidence.draw(len(evidence.labels), KNN_TEST)
    test = test[np.isin(evidence.labels[test], labels)]
    if len(test) == 0 or len(np.unique(labels)) < 2:
        return None
    codes = evidence.train_code[training].astype(np.float64), evidence.code[test].astype(np.float64)
    return _Known(codes[0], labels, codes[1], evidence.labels[test])


def _squared_distances(target: npt.NDArray[np.float32], drawn: Indices) -> npt.NDArray[np.float64]:
    """Squared distances of the drawn rows in float64, a few features at a time; in float32 near neighbours tie."""
    gram = np.zeros((len(drawn), len(drawn)))
    for start in range(0, target.shape[1], FEATURE_BLOCK):
        part = target[drawn, start : start + FEATURE_BLOCK].astype(np.float64)
        gram += part @ part.T
    squares = np.diag(gram)
    return np.asarray(np.maximum(squares[:, None] + squares - 2.0 * gram, 0.0))


def _vote(
    train_code: npt.NDArray[np.float64], train_labels: npt.NDArray[np.str_], code: npt.NDArray[np.float64]
) -> npt.NDArray[np.str_]:
    from sklearn.neighbors import KNeighborsClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    voters = KNeighborsClassifier(min(VOTES, len(train_code)), algorithm="brute")
    with threadpool_limits(1):
        said = voters.fit(train_code, train_labels).predict(code)
    return np.asarray(said, dtype=np.str_)


def _balanced_accuracy(labels: npt.NDArray[np.str_], said: npt.NDArray[np.str_]) -> float:
    """Mean over the classes of ``labels`` of the share that was said right."""
    right = labels == said
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))
