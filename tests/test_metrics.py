"""Yardsticks: each against a formula of its own, its optimum, its invariances, and mutants that must be told apart."""

from __future__ import annotations

import math
import re
import statistics
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import mean_absolute_error, mean_squared_error, roc_auc_score
from threadpoolctl import threadpool_limits

from losslens.measure import GOALS, METRICS, Evidence, evaluate
from losslens.measure.clusters import cluster
from losslens.measure.directions import (
    alignment_of,
    effective_rank_of,
    neighbours_of,
    spread_of,
    uniformity_of,
    weighted_vote,
)
from losslens.measure.evidence import Hidden, Posterior, Spread
from losslens.vocabulary.errors import BadInput, UnknownName

TOLERANCE = 1e-9  # float32 arithmetic would be off by 1e-7


# Evidence of three kinds -------------------------------------------------------------------------------------------


def _evidence(seed: int, samples: int, features: int, *, counts: bool) -> Evidence:
    """Profiles of four unequal classes, a noisy reconstruction of them, and codes in which classes overlap."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(4, samples + 60, p=[0.55, 0.25, 0.15, 0.05])
    values = (
        rng.normal(size=(4, features))[classes] + rng.normal(size=(samples + 60, features)) + rng.normal(size=features)
    )
    if counts:
        values = np.log1p(rng.poisson(np.exp(values - 1.0)))
    values[:, 1] = 1.5  # one feature that never varies
    code = 1.2 * rng.normal(size=(4, 6))[classes] + rng.normal(size=(samples + 60, 6))
    names = np.array(["alpha", "beta", "delta", "gamma"])[classes]
    target, train = values[:samples].astype(np.float32), values[samples:]
    prediction = np.round(0.7 * target + 0.4 * rng.normal(size=target.shape), 1)  # rounding makes ties
    prediction[:, 0] = 0.25  # one feature predicted as a constant
    said = np.where(rng.random(samples) < 0.6, names[:samples], rng.permutation(names[:samples]))
    names[:2] = said[1] = "only in the test part"
    code[:, 5] *= 0.02  # a unit that hardly varies, and one that varies little beside the others
    code[:, 4] *= 0.09
    return Evidence(
        target, prediction, train.mean(axis=0), code[:samples], names[:samples], code[samples:], names[samples:],
        rng.normal(50.0, 9.0, samples), "mass" if counts else "density", seed,
        Posterior(rng.normal(60.0, 9.0, samples), 0.02), _spread(rng, samples, features) if counts else None, said,
        Hidden(*rng.normal([[0.4], [0.4], [0.0]], size=(3, 50))),
        tuple(code[:samples] + rng.normal(size=(2, samples, 6))),
    )  # fmt: skip


def _spread(rng: np.random.Generator, samples: int, features: int) -> Spread:
    shares = [rng.random(size) for size in (features, features, samples, samples)]
    variances, mean = rng.lognormal(size=(2, features)), rng.lognormal(size=features)
    variances[:, :2] = [[0.0, 2.0], [1.0, 0.0]]  # features that never vary, as seen or as expected
    return Spread(*shares, *variances, mean)


@pytest.fixture(scope="module")
def cases() -> dict[str, Evidence]:
    return {
        "dense": _evidence(1, 60, 30, counts=False),
        "counts": _evidence(2, 45, 40, counts=True),
        "several blocks": _evidence(3, 300, 1000, counts=True),
    }


def _with_zero_rows(evidence: Evidence) -> Evidence:
    target, prediction = evidence.target.copy(), evidence.prediction.copy()
    target[0] = prediction[0] = target[1] = prediction[2] = 0.0
    return replace(evidence, target=target, prediction=prediction)


# The same numbers, computed in another way -------------------------------------------------------------------------


def _rows(evidence: Evidence) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(evidence.target.astype(float), evidence.prediction.astype(float), strict=True))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    length = math.hypot(*a) * math.hypot(*b)
    return math.fsum(np.multiply(a, b, dtype=float)) / length if length else 0.0


def _ref_cosine(e: Evidence) -> float:
    return float(np.mean([_cosine(t, p) for t, p in _rows(e)]))


def _ref_pearson(e: Evidence) -> float:
    return float(np.mean([scipy.stats.pearsonr(t, p).statistic if np.ptp(t) and np.ptp(p) else 0 for t, p in _rows(e)]))


def _ref_delta(e: Evidence) -> float:
    mean = e.train_mean.astype(float)
    return float(np.mean([_cosine(t - mean, p - mean) for t, p in _rows(e)]))


def _ref_feature(e: Evidence) -> float:
    columns = [(t, p) for t, p in zip(e.target.T.astype(float), e.prediction.T.astype(float), strict=True) if np.ptp(t)]
    return float(np.mean([np.corrcoef(t, p)[0, 1] if np.ptp(p) else 0.0 for t, p in columns]))


def _ref_r2(e: Evidence) -> float:
    errors = [float(x) for t, p in _rows(e) for x in (t - p) ** 2]
    spread = [float(x) for t, _ in _rows(e) for x in (t - e.train_mean.astype(float)) ** 2]
    return 1 - math.fsum(errors) / math.fsum(spread)


def _ref_norm_ratio(e: Evidence) -> float:
    return float(np.mean([np.linalg.norm(p) / np.linalg.norm(t) for t, p in _rows(e) if t.any()]))


def _ref_mse_nonzero(e: Evidence) -> float | None:
    kept = e.target != 0
    sparse = np.mean(~kept) >= 0.3
    return mean_squared_error(e.target[kept].astype(float), e.prediction[kept].astype(float)) if sparse else None


def _ref_zero_auroc(e: Evidence) -> float | None:
    zero = (e.target == 0).ravel()
    return float(roc_auc_score(zero, -e.prediction.ravel().astype(float))) if zero.mean() >= 0.3 else None


def _ref_trustworthiness(e: Evidence) -> float | None:
    """Venna and Kaski's sum, by loops: how far down the data's list the code's neighbours stand."""
    n, k, penalty = len(e.target), min(15, (len(e.target) - 1) // 2), 0
    for i in range(n):
        order = np.argsort([np.inf if j == i else math.dist(e.target[i], e.target[j]) for j in range(n)])
        rank = {int(j): place for place, j in enumerate(order, start=1)}
        near = sorted((math.dist(e.code[i], e.code[j]), j) for j in range(n) if j != i)[:k]
        penalty += sum(max(0, rank[j] - k) for _, j in near)
    return 1 - penalty * 2 / (n * k * (2 * n - 3 * k - 1))


def _ref_knn(e: Evidence) -> float:
    hits: dict[str, list[bool]] = {}
    for point, label in zip(e.code, e.labels, strict=True):
        if label in e.train_labels:
            near = np.argsort([math.dist(point, other) for other in e.train_code])[:5]
            votes = Counter(str(name) for name in e.train_labels[near])
            said = min(votes, key=lambda name: (-votes[name], name))
            hits.setdefault(str(label), []).append(said == label)
    return float(np.mean([np.mean(right) for right in hits.values()]))


def _ref_ari(e: Evidence) -> float:
    """Over all pairs of samples: together in both, beyond what chance gives."""
    pairs = [(a[0] == b[0], a[1] == b[1]) for a, b in combinations(zip(*e.clusters, strict=True), 2)]
    both, one, two = sum(a and b for a, b in pairs), sum(a for a, _ in pairs), sum(b for _, b in pairs)
    chance = one * two / len(pairs)
    return (both - chance) / ((one + two) / 2 - chance)


def _ref_nmi(e: Evidence) -> float:
    labels, clusters = e.clusters
    h = [float(scipy.stats.entropy(list(Counter(x).values()))) for x in (labels, clusters)]
    joint = float(scipy.stats.entropy(list(Counter(zip(labels, clusters, strict=True)).values())))
    return (sum(h) - joint) / (sum(h) / 2)


def _shared_accuracy(labels: np.ndarray, said: np.ndarray, known: np.ndarray) -> float:
    """Mean over the labels that training knows of the share said right."""
    hits: dict[str, list[bool]] = {}
    for label, answer in zip(labels, said, strict=True):
        if label in known:
            hits.setdefault(str(label), []).append(label == answer)
    return float(np.mean([np.mean(right) for right in hits.values()]))


def _softmax_regression(e: Evidence, *, standardised: bool = True) -> np.ndarray:
    """Labels of the test part under weights that minimise half their square plus the sum of the cross-entropies."""
    classes = np.unique(e.train_labels)
    mean, deviation = e.train_code.astype(float).mean(0), e.train_code.astype(float).std(0) if standardised else 1.0
    x, y = (e.train_code - mean) / deviation, np.searchsorted(classes, e.train_labels)

    def cost(flat: np.ndarray) -> float:
        weight, bias = flat[len(classes) :].reshape(-1, len(classes)), flat[: len(classes)]
        scores = x @ weight + bias
        return float((scipy.special.logsumexp(scores, 1) - scores[np.arange(len(y)), y]).sum() + (weight**2).sum() / 2)

    best = scipy.optimize.minimize(cost, np.zeros((x.shape[1] + 1) * len(classes)), tol=1e-6).x
    scores = (e.code - mean) / deviation @ best[len(classes) :].reshape(-1, len(classes)) + best[: len(classes)]
    return classes[scores.argmax(1)]


def _ref_weighted_knn(e: Evidence, temperature: float = 0.1) -> float:
    """By sorting all cosines of each test code, of as many neighbours as a tenth of the training part, at least 5."""
    near = min(200, max(5, len(e.train_code) // 10))
    said = []
    for point in e.code:
        cosines = np.array([_cosine(point, other) for other in e.train_code])
        votes: Counter[str] = Counter()
        for i in np.argsort(-cosines)[:near]:
            votes[str(e.train_labels[i])] += math.exp(cosines[i] / temperature)
        said.append(max(votes, key=lambda name: votes[name]))
    return _shared_accuracy(e.labels, np.array(said), e.train_labels)


def _on_sphere(code: np.ndarray) -> np.ndarray:
    return np.array([np.asarray(row, float) / math.hypot(*row) for row in code])


def _ref_alignment(e: Evidence) -> float:
    return math.fsum(2 - 2 * _cosine(a, b) for a, b in zip(*e.views, strict=True)) / len(e.code)


def _ref_uniformity(e: Evidence, sharpness: float = 2.0) -> float:
    pairs = [math.exp(-sharpness * math.dist(a, b) ** 2) for a, b in combinations(_on_sphere(e.code), 2)]
    return math.log(math.fsum(pairs) / len(pairs))


def _ref_spread(e: Evidence) -> float:
    return statistics.fmean(statistics.pstdev(unit) for unit in _on_sphere(e.code).T) * math.sqrt(e.code.shape[1])


def _ref_effective_rank(e: Evidence, *, centred: bool = True) -> float:
    """From the eigenvalues of the covariance."""
    rows = _on_sphere(e.code)
    values = np.sqrt(np.linalg.eigvalsh(np.cov(rows.T) if centred else rows.T @ rows))
    return math.exp(scipy.stats.entropy(values))


def _ref_active(e: Evidence) -> float:
    variances = [math.fsum((unit - math.fsum(unit) / len(unit)) ** 2) / len(unit) for unit in e.code.T.astype(float)]
    least = 0.01 if e.posterior else 0.01 * max(variances)
    return float(len([variance for variance in variances if variance > least]))


def _ref_variance_gap(e: Evidence) -> float | None:
    if e.spread is None:
        return None
    pairs = zip(e.spread.variance_seen, e.spread.variance_expected, strict=True)
    decades = sorted(abs(math.log10(a) - math.log10(b)) for a, b in pairs if a and b)
    middle = len(decades) // 2
    return decades[middle] if len(decades) % 2 else (decades[middle - 1] + decades[middle]) / 2


def _ref_rank(e: Evidence) -> float | None:
    """By eigenvalues of the covariance, whose roots are in proportion to the singular values."""
    if e.code is None:
        return None
    values = np.sqrt(np.linalg.eigvalsh(np.cov(e.code.astype(float).T)).clip(0))
    return math.exp(-sum(v / values.sum() * math.log(v / values.sum()) for v in values if v > 0))


def _ref_zeros_gap(e: Evidence) -> float | None:
    if e.spread is None:
        return None
    apart = [abs(a - b) for a, b in zip(e.spread.zeros_seen, e.spread.zeros_expected, strict=True)]
    return math.fsum(apart) / len(apart)


def _ref_bound(e: Evidence, measure: str) -> float | None:
    return math.fsum(e.posterior.bound) / len(e.posterior.bound) if e.posterior and e.measure == measure else None


def _ref_hidden(e: Evidence, around: np.ndarray) -> float:
    errors = [(a - b) ** 2 for a, b in zip(e.hidden.seen, e.hidden.said, strict=True)]
    spread = [(a - b) ** 2 for a, b in zip(e.hidden.seen, around, strict=True)]
    return 1 - math.fsum(errors) / math.fsum(spread)


REFERENCES: dict[str, Callable[[Evidence], float | None]] = {
    "cosine": _ref_cosine,
    "pearson": _ref_pearson,
    "delta_cosine": _ref_delta,
    "feature_pearson": _ref_feature,
    "mse": lambda e: mean_squared_error(e.target.ravel().astype(float), e.prediction.ravel().astype(float)),
    "mae": lambda e: mean_absolute_error(e.target.ravel().astype(float), e.prediction.ravel().astype(float)),
    "r2": _ref_r2,
    "norm_ratio": _ref_norm_ratio,
    "mse_nonzero": _ref_mse_nonzero,
    "zero_auroc": _ref_zero_auroc,
    "nats_mass": lambda e: math.fsum(e.nats) / len(e.nats) if e.measure == "mass" and e.nats is not None else None,
    "nats_density": lambda e: (
        math.fsum(e.nats) / len(e.nats) if e.measure == "density" and e.nats is not None else None
    ),
    "trustworthiness": _ref_trustworthiness,
    "knn_accuracy": _ref_knn,
    "linear_probe": lambda e: _shared_accuracy(e.labels, _softmax_regression(e), e.train_labels),
    "classifier_accuracy": lambda e: _shared_accuracy(e.labels, e.said, e.train_labels),
    "kmeans_ari": _ref_ari,
    "kmeans_nmi": _ref_nmi,
    "weighted_knn": _ref_weighted_knn,
    "alignment": _ref_alignment,
    "uniformity": _ref_uniformity,
    "embedding_spread": _ref_spread,
    "effective_rank": _ref_effective_rank,
    "active_units": _ref_active,
    "kl_weight": lambda e: e.posterior.kl_weight if e.posterior else None,
    "marginal_nats_mass": lambda e: _ref_bound(e, "mass"),
    "marginal_nats_density": lambda e: _ref_bound(e, "density"),
    "zeros_gap": _ref_zeros_gap,
    "variance_gap": _ref_variance_gap,
    "hidden_r2": lambda e: _ref_hidden(e, e.hidden.mean) if e.hidden else None,
}


def _same(found: float | None, expected: float | None, tolerance: float) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)


def _agrees(compute: Callable[[Evidence], float | None], name: str, cases: dict[str, Evidence]) -> bool:
    """Whether a function gives what the yardstick's own formula gives, on every kind of evidence."""
    evidence = [cases["dense"], cases["counts"]]
    evidence += [replace(each, posterior=None, spread=None) for each in evidence if name == "active_units"]
    if name not in {"trustworthiness", "knn_accuracy", "linear_probe", "kmeans_ari", "kmeans_nmi", "weighted_knn"}:
        evidence += [cases["several blocks"], _with_zero_rows(cases["dense"]), _with_zero_rows(cases["counts"])]
    pairs = [(compute(e), REFERENCES[name](e)) for e in evidence]
    assert any(expected is not None for _, expected in pairs)
    return all(_same(found, expected, TOLERANCE) for found, expected in pairs)


def test_every_yardstick_has_a_reference_and_the_reports_order() -> None:
    assert list(METRICS) == list(REFERENCES)


@pytest.mark.parametrize("name", list(METRICS))
def test_value_equals_an_independent_formula(name: str, cases: dict[str, Evidence]) -> None:
    assert _agrees(METRICS[name].compute, name, cases)


def test_trustworthiness_of_many_features_equals_that_in_float64(cases: dict[str, Evidence]) -> None:
    from sklearn.manifold import trustworthiness

    e = cases["several blocks"]
    expected = trustworthiness(e.target.astype(float), e.code.astype(float), n_neighbors=15)
    assert METRICS["trustworthiness"].compute(e) == pytest.approx(expected, rel=TOLERANCE)


def _r2_about(e: Evidence, centre: np.ndarray) -> float:
    return 1 - float(
        ((e.target - e.prediction).astype(float) ** 2).sum() / ((e.target - centre).astype(float) ** 2).sum()
    )


def _auroc_without_ties(e: Evidence) -> float | None:
    zero, score = (e.target == 0).ravel(), e.prediction.ravel()
    if not e.sparse:
        return None
    high = np.sort(score[~zero])
    return float(1 - np.searchsorted(high, score[zero], "right").mean() / len(high))


def _plain_knn(e: Evidence) -> float:
    from sklearn.neighbors import KNeighborsClassifier

    return float(KNeighborsClassifier(5).fit(e.train_code, e.train_labels).score(e.code, e.labels))


def _continuity(e: Evidence) -> float:
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(e.code, e.target, n_neighbors=15))


MUTANTS: dict[str, tuple[str, Callable[[Evidence], float | None]]] = {
    "r2 about one mean of all entries": ("r2", lambda e: _r2_about(e, e.target.mean())),
    "r2 about the test part's mean": ("r2", lambda e: _r2_about(e, e.target.mean(axis=0))),
    "uncentred delta": ("delta_cosine", _ref_cosine),
    "delta of the target alone": (
        "delta_cosine",
        lambda e: float(np.mean([_cosine(t - e.train_mean, p) for t, p in _rows(e)])),
    ),
    "delta about the test part's mean": (
        "delta_cosine",
        lambda e: _ref_delta(replace(e, train_mean=e.target.mean(axis=0))),
    ),
    "uncentred pearson": ("pearson", _ref_cosine),
    "cosine of all entries at once": ("cosine", lambda e: _cosine(e.target.ravel(), e.prediction.ravel())),
    "cosine without zero rows": (
        "cosine",
        lambda e: float(np.mean([_cosine(t, p) for t, p in _rows(e) if t.any() and p.any()])),
    ),
    "cosine in float32": (
        "cosine",
        lambda e: float(np.mean([(t @ p) / max(np.linalg.norm(t) * np.linalg.norm(p), np.float32(1e-30))
                                 for t, p in zip(e.target, e.prediction, strict=True)])),
    ),
    "per-feature pearson over samples' axis": ("feature_pearson", _ref_pearson),
    "features that never vary count": ("feature_pearson", lambda e: _ref_feature(e) * (1 - 1 / e.target.shape[1])),
    "constant predictions left out": ("feature_pearson", lambda e: _ref_feature(e) / (1 - 1 / (e.target.shape[1] - 1))),
    "root of the squared error": ("mse", lambda e: math.sqrt(REFERENCES["mse"](e) or 0.0)),
    "median for mean": ("mae", lambda e: float(np.median(np.abs(e.target - e.prediction)))),
    "ratio of mean norms": (
        "norm_ratio",
        lambda e: float(np.linalg.norm(e.prediction, axis=1).mean() / np.linalg.norm(e.target, axis=1).mean()),
    ),
    "non-zeros of the prediction": (
        "mse_nonzero",
        lambda e: float(((e.target - e.prediction)[e.prediction != 0] ** 2).mean()) if e.sparse else None,
    ),
    "also where data are dense": (
        "mse_nonzero",
        lambda e: float(((e.target - e.prediction)[e.target != 0].astype(float) ** 2).mean()),
    ),
    "ties count whole": ("zero_auroc", _auroc_without_ties),
    "whatever the measure": ("nats_mass", lambda e: math.fsum(e.nats) / len(e.nats) if e.nats is not None else None),
    "continuity for trustworthiness": ("trustworthiness", _continuity),
    "unbalanced accuracy": ("knn_accuracy", _plain_knn),
    "probe of a code not standardised": (
        "linear_probe",
        lambda e: _shared_accuracy(e.labels, _softmax_regression(e, standardised=False), e.train_labels),
    ),
    "unbalanced probe": (
        "linear_probe", lambda e: float((_softmax_regression(e) == e.labels)[np.isin(e.labels, e.train_labels)].mean())
    ),
    "labels that training lacks count": ("classifier_accuracy", lambda e: _shared_accuracy(e.labels, e.said, e.labels)),
    "votes that weigh the same": ("weighted_knn", lambda e: _ref_weighted_knn(e, math.inf)),
    "unbalanced votes": ("weighted_knn", lambda e: float(np.mean(
        weighted_vote(e.train_code, e.train_labels, e.code) == e.labels))),
    "nearest codes, not directions": ("weighted_knn", _ref_knn),
    "distances, not squared": ("alignment", lambda e: statistics.fmean(
        math.dist(a, b) for a, b in zip(*map(_on_sphere, e.views), strict=True))),
    "views as they stand": ("alignment", lambda e: float(np.square(e.views[0] - e.views[1]).sum(1).mean())),
    "sharpness of one": ("uniformity", lambda e: _ref_uniformity(e, 1.0)),
    "mean of the exponents": ("uniformity", lambda e: statistics.fmean(
        -2 * math.dist(a, b) ** 2 for a, b in combinations(_on_sphere(e.code), 2))),
    "spread of codes as they stand": ("embedding_spread", lambda e: float(
        e.code.std(0, dtype=float).mean() * math.sqrt(6))),
    "root of the mean variance": ("embedding_spread", lambda e: math.sqrt(_on_sphere(e.code).var(0).sum())),
    "rank about zero": ("effective_rank", lambda e: _ref_effective_rank(e, centred=False)),
    "active beside the largest": ("active_units", lambda e: _ref_active(replace(e, posterior=None))),
    "active beside one": ("active_units", lambda e: float((e.code.var(0, dtype=float) > 0.01).sum())),
    "the bound of any measure": ("marginal_nats_mass", lambda e: float(e.posterior.bound.mean())),
    "the code taken as known": ("marginal_nats_density", REFERENCES["nats_density"]),
    "zeros of samples": ("zeros_gap", lambda e: None if e.spread is None else float(
        np.abs(e.spread.row_zeros_seen - e.spread.row_zeros_expected).mean())),
    "more zeros and fewer cancel": ("zeros_gap", lambda e: None if e.spread is None else abs(float(
        (e.spread.zeros_seen - e.spread.zeros_expected).mean()))),
    "mean of the decades": ("variance_gap", lambda e: None if e.spread is None else float(np.abs(np.log10(
        e.spread.variance_seen[2:] / e.spread.variance_expected[2:])).mean())),
    "wider and narrower cancel": ("variance_gap", lambda e: None if e.spread is None else abs(float(np.median(np.log10(
        e.spread.variance_seen[2:] / e.spread.variance_expected[2:]))))),
    "hidden values about their own mean": (
        "hidden_r2", lambda e: _ref_hidden(e, np.full(50, e.hidden.seen.mean())) if e.hidden else None),
    "correlation of hidden values": (
        "hidden_r2", lambda e: float(np.corrcoef(e.hidden.seen, e.hidden.said)[0, 1] ** 2) if e.hidden else None),
}  # fmt: skip


@pytest.mark.parametrize("mutant", list(MUTANTS))
def test_mutants_are_told_apart(mutant: str, cases: dict[str, Evidence]) -> None:
    name, compute = MUTANTS[mutant]
    assert not _agrees(compute, name, cases)


# Optimum, baselines ------------------------------------------------------------------------------------------------


def test_a_perfect_model_reaches_every_optimum() -> None:
    classes = np.repeat([0, 1, 2], 8)
    target = np.eye(3).repeat(5, axis=1)[classes] * np.arange(1.0, 25.0)[:, None]
    labels = classes.astype(str)
    code = target + 100 * classes[:, None]
    share, size = np.full(15, 0.5), np.full(15, 2.0)
    exact = Spread(share, share, np.full(24, 0.5), np.full(24, 0.5), size, size, size)
    scores = evaluate(
        Evidence(target, target, target.mean(0) + 0.1, code, labels, code, labels, spread=exact, said=labels)
    )
    best = {"mse": 0.0, "mae": 0.0, "mse_nonzero": 0.0, "zeros_gap": 0.0, "variance_gap": 0.0, "active_units": 15.0}
    best |= dict.fromkeys(
        (
            "nats_mass",
            "nats_density",
            "alignment",
            "kl_weight",
            "marginal_nats_mass",
            "marginal_nats_density",
            "hidden_r2",
        ),
        None,
    )
    for name in METRICS:
        expected = best.get(name, 1.0)
        if name not in {"trustworthiness", *OF_SPHERE}:  # of codes alone; tests below are about them
            assert scores[name] == (None if expected is None else pytest.approx(expected, abs=1e-12)), name


def test_a_code_that_is_the_data_is_fully_trustworthy_and_a_random_one_half(cases: dict[str, Evidence]) -> None:
    evidence = cases["several blocks"]
    trust = METRICS["trustworthiness"].compute
    evidence = replace(evidence, train_code=None, train_labels=None, views=None)
    assert trust(replace(evidence, code=evidence.target)) == 1.0
    noise = np.random.default_rng(0).normal(size=(300, 8))
    assert trust(replace(evidence, code=noise)) == pytest.approx(0.5, abs=0.03)


def test_the_mean_profile_explains_nothing(cases: dict[str, Evidence]) -> None:
    for evidence in cases.values():
        mean = np.tile(evidence.train_mean, (len(evidence.target), 1))
        for prediction in (mean, np.nextafter(mean, np.float32(np.inf)), np.nextafter(mean, np.float32(0))):
            scores = evaluate(replace(evidence, prediction=prediction))
            assert scores["delta_cosine"] == 0.0  # also when float32 rounding is all that is left
            assert scores["feature_pearson"] == 0.0
            assert scores["r2"] == pytest.approx(0.0, abs=1e-6)
        assert evaluate(replace(evidence, prediction=mean))["r2"] == pytest.approx(0.0, abs=1e-12)


def test_a_small_true_difference_from_the_mean_counts() -> None:
    mean = np.full(50, 10.0)
    delta = 1e-3 * np.random.default_rng(0).normal(size=(8, 50))
    assert evaluate(Evidence(mean + delta, mean + delta / 2, mean))["delta_cosine"] == pytest.approx(1.0, abs=1e-3)
    assert evaluate(Evidence(mean + delta, mean - delta / 2, mean))["delta_cosine"] == pytest.approx(-1.0, abs=1e-3)


def test_worse_than_the_mean_profile_is_negative(cases: dict[str, Evidence]) -> None:
    evidence = cases["dense"]
    scores = evaluate(replace(evidence, prediction=2 * evidence.train_mean - evidence.target))
    assert scores["r2"] == pytest.approx(-3.0, abs=1e-5)
    assert scores["delta_cosine"] == pytest.approx(-1.0, abs=1e-6)


# Invariances -------------------------------------------------------------------------------------------------------


def _changed(evidence: Evidence, names: set[str], **changes: object) -> set[str]:
    """Which of the yardsticks a change of the evidence moves by more than rounding."""
    before, after = evaluate(evidence), evaluate(replace(evidence, **changes))
    return {name for name in names if not _same(after[name], before[name], 1e-6)}


RECONSTRUCTION = {"cosine", "pearson", "delta_cosine", "feature_pearson", "mse", "mae", "r2", "norm_ratio",
                  "mse_nonzero", "zero_auroc"}  # fmt: skip
OF_CODE = {"trustworthiness", "knn_accuracy", "weighted_knn", "kmeans_ari", "kmeans_nmi"}
OF_SPHERE = {"uniformity", "embedding_spread", "effective_rank"}


@pytest.mark.parametrize("case", ["dense", "counts"])
def test_scale_of_the_prediction_moves_only_what_judges_magnitude(case: str, cases: dict[str, Evidence]) -> None:
    evidence = cases[case]
    moved = _changed(evidence, RECONSTRUCTION, prediction=4 * evidence.prediction)
    sparse_only = {"mse_nonzero"} if case == "counts" else set()
    assert moved == {"delta_cosine", "mse", "mae", "r2", "norm_ratio"} | sparse_only


def test_one_unit_for_all_moves_only_what_has_units(cases: dict[str, Evidence]) -> None:
    e = cases["counts"]
    for unit in (0.125, 2.0**40, 2.0**-40):
        moved = _changed(
            e, RECONSTRUCTION, target=unit * e.target, prediction=unit * e.prediction, train_mean=unit * e.train_mean
        )
        assert moved == {"mse", "mae", "mse_nonzero"}


def test_shift_of_each_prediction_leaves_pearson(cases: dict[str, Evidence]) -> None:
    e = cases["dense"]
    shifted = e.prediction + np.linspace(1, 2, len(e.prediction), dtype=np.float32)[:, None]
    assert "pearson" not in _changed(e, RECONSTRUCTION, prediction=shifted)
    assert "cosine" in _changed(e, RECONSTRUCTION, prediction=shifted)


@pytest.mark.parametrize("case", ["dense", "counts"])
def test_order_of_features_does_not_matter(case: str, cases: dict[str, Evidence]) -> None:
    e = cases[case]
    p = np.random.default_rng(5).permutation(e.target.shape[1])
    changes = {"target": e.target[:, p], "prediction": e.prediction[:, p], "train_mean": e.train_mean[p]}
    assert _changed(e, set(METRICS), **changes) == set()


@pytest.mark.parametrize("case", ["dense", "counts"])
def test_order_of_samples_does_not_matter(case: str, cases: dict[str, Evidence]) -> None:
    e = cases[case]
    p = np.random.default_rng(6).permutation(len(e.target))
    changes = {name: getattr(e, name)[p] for name in ("target", "prediction", "code", "labels", "nats", "said")}
    changes["views"] = tuple(view[p] for view in e.views)
    unordered = set(METRICS) - {"kmeans_ari", "kmeans_nmi"}  # k-means starts from samples that it draws by number
    assert _changed(e, unordered, **changes) == set()


@pytest.mark.parametrize("width", [6, 20])  # scikit-learn searches trees below 16 directions, all pairs above
@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_rotation_and_scale_of_the_code_do_not_matter(scale: float, width: int, cases: dict[str, Evidence]) -> None:
    e = cases["dense"]
    turn = np.linalg.qr(np.random.default_rng(7).normal(size=(width, width)))[0][:6]  # into as many directions
    changes = {"code": scale * e.code @ turn, "train_code": scale * e.train_code @ turn}
    changes["views"] = tuple(scale * view @ turn for view in e.views)
    unpadded = OF_CODE | {"alignment", "uniformity", "effective_rank"}
    assert _changed(e, unpadded, **changes) == set()


def test_units_of_single_code_units_do_not_matter_to_the_probe(cases: dict[str, Evidence]) -> None:
    e, units = cases["dense"], np.array([1e-3, 1.0, 1e3, 7.0, 1.0, 1e6])
    assert _changed(e, {"linear_probe"}, code=e.code * units, train_code=e.train_code * units) == set()
    assert _changed(e, {"knn_accuracy"}, code=e.code * units, train_code=e.train_code * units) == {"knn_accuracy"}


def test_the_code_is_taken_as_it_stands_not_standardised(cases: dict[str, Evidence]) -> None:
    e = cases["dense"]
    dead = 1e-3 * np.random.default_rng(8).normal(size=(120, 40))
    noisy = {"code": np.hstack([e.code, dead[:60]]), "train_code": np.hstack([e.train_code, dead[60:]]), "views": None}
    before, after = evaluate(e), evaluate(replace(e, **noisy))
    assert all(after[name] == pytest.approx(before[name], abs=0.02) for name in OF_CODE)


# Degenerate evidence: a number or None, never NaN, never a warning (pytest turns warnings into errors) --------------


def _finite(scores: dict[str, float | None]) -> bool:
    return list(scores) == list(METRICS) and all(
        v is None or (type(v) is float and math.isfinite(v)) for v in scores.values()
    )


def test_zero_rows_count_as_no_direction() -> None:
    target = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
    scores = evaluate(Evidence(target, [[0.0, 0.0], [0.0, 0.0], [2.0, 0.0]], np.zeros(2)))
    assert (scores["cosine"], scores["delta_cosine"], scores["norm_ratio"]) == (1 / 3, 1 / 3, 1.0)


def test_all_zeros_have_no_r2_no_ratio_no_auroc() -> None:
    scores = evaluate(Evidence(np.zeros((4, 3)), np.ones((4, 3)), np.zeros(3)))
    missing = {name for name in RECONSTRUCTION if scores[name] is None}
    assert _finite(scores)
    assert missing == {"r2", "norm_ratio", "mse_nonzero", "zero_auroc", "feature_pearson"}
    assert scores["mse"] == 1.0


def test_one_test_row_and_one_feature() -> None:
    row = evaluate(
        Evidence([[1.0, 2.0, 0.5]], [[1.0, 2.0, 1.0]], np.ones(3), [[1.0]], ["a"], [[0.0], [1.0]], ["a", "b"])
    )
    assert _finite(row)
    assert {name for name in METRICS if row[name] is None} >= {"feature_pearson", "trustworthiness", "kmeans_ari"}
    column = evaluate(Evidence(np.arange(12.0)[:, None], np.ones((12, 1)), [3.0]))
    assert _finite(column)
    assert column["pearson"] is None
    assert column["cosine"] == pytest.approx(11 / 12)


def test_constant_features_and_constant_rows_are_left_out_or_zero() -> None:
    target = np.array([[1.1, 0.3], [1.1, 0.7], [1.1, 0.1]])
    scores = evaluate(Evidence(target, np.full((3, 2), 0.1) + target * [0, 1], np.zeros(2)))
    assert scores["feature_pearson"] == pytest.approx(1.0)
    assert evaluate(Evidence(target, np.full((3, 2), 0.1), np.zeros(2)))["pearson"] == 0.0


def test_without_labels_or_code_what_needs_them_is_none(cases: dict[str, Evidence]) -> None:
    e = cases["dense"]
    assert {n for n, v in evaluate(replace(e, labels=None)).items() if v is None} >= OF_CODE - {"trustworthiness"}
    assert {n for n, v in evaluate(replace(e, code=None, train_code=None)).items() if v is None} >= OF_CODE
    assert evaluate(replace(e, train_code=None, train_labels=None))["knn_accuracy"] is None
    few = {name: getattr(e, name)[:9] for name in ("target", "prediction", "code", "labels", "nats", "said")}
    few["views"] = None
    assert evaluate(replace(e, **few))["trustworthiness"] is None


def test_what_a_model_does_not_say_is_none(cases: dict[str, Evidence]) -> None:
    e = cases["counts"]
    of_posterior, of_counts = {"kl_weight", "marginal_nats_mass"}, {"zeros_gap", "variance_gap"}
    none = {n for n, v in evaluate(replace(e, posterior=None, spread=None, said=None)).items() if v is None}
    assert none >= of_posterior | of_counts | {"classifier_accuracy"}
    assert not none & OF_CODE
    assert evaluate(replace(e, hidden=None))["hidden_r2"] is None
    assert evaluate(replace(e, hidden=replace(e.hidden, mean=e.hidden.seen)))["hidden_r2"] is None
    constant = replace(e.spread, variance_seen=np.zeros(40))
    assert evaluate(replace(e, spread=constant))["variance_gap"] is None
    assert evaluate(replace(e, labels=np.full(45, "new")))["classifier_accuracy"] is None


def test_one_label_is_nothing_to_find(cases: dict[str, Evidence]) -> None:
    e = cases["dense"]
    same = evaluate(replace(e, labels=np.full(60, "a"), train_labels=np.full(60, "a")))
    assert (same["knn_accuracy"], same["kmeans_ari"], same["kmeans_nmi"]) == (None, None, None)
    all_differ = evaluate(replace(e, labels=np.arange(60).astype(str)))
    assert (all_differ["knn_accuracy"], all_differ["kmeans_ari"]) == (None, None)


def test_labels_unseen_in_training_are_left_out() -> None:
    code = np.repeat([[0.0], [10.0], [20.0]], 6, axis=0)
    labels = np.repeat(["a", "b", "new"], 6)
    scores = evaluate(Evidence(np.eye(18), np.eye(18), np.zeros(18), code, labels, code[:12], labels[:12]))
    assert scores["knn_accuracy"] == 1.0
    assert scores["kmeans_ari"] == 1.0  # k-means needs no training, so it counts them


def test_a_collapsed_code_scores_like_chance(cases: dict[str, Evidence]) -> None:
    e = replace(cases["several blocks"], views=None)
    order = np.argsort(e.labels)  # sorted by label: neighbours in the file are alike
    fields = {name: getattr(e, name)[order] for name in ("target", "prediction", "labels", "nats")}
    for code in (np.full((300, 3), 0.7), np.full((300, 3), 0.7) + 1e-8, np.zeros((300, 1))):
        scores = evaluate(replace(e, **fields, code=code, train_code=code[:60]))
        assert scores["trustworthiness"] == pytest.approx(0.5, abs=0.06)
        assert scores["knn_accuracy"] == pytest.approx(1 / 4, abs=0.01)
        assert scores["weighted_knn"] == pytest.approx(1 / 4, abs=0.01)
        assert scores["kmeans_ari"] == pytest.approx(0.0, abs=1e-9)
        assert scores["kmeans_nmi"] == pytest.approx(0.0, abs=1e-9)


# Codes on the unit sphere --------------------------------------------------------------------------------------------


def test_even_directions_are_spread_and_collapsed_ones_are_not() -> None:
    even = np.random.default_rng(12).normal(size=(3000, 16))
    spread, rank, uniform = spread_of(even), effective_rank_of(even), uniformity_of(even)
    assert spread == pytest.approx(1.0, abs=0.01)
    assert rank == pytest.approx(16.0, rel=0.01)
    assert uniform == pytest.approx(_uniformity_of_a_sphere(16), abs=0.02)
    for collapsed in (np.ones((30, 4)), np.arange(1.0, 31.0)[:, None] * np.ones(4), np.zeros((30, 4))):
        assert spread_of(collapsed) == pytest.approx(0.0, abs=1e-12)
        assert effective_rank_of(collapsed) == 0.0
        assert uniformity_of(collapsed) == pytest.approx(0.0, abs=1e-12)
        assert alignment_of(collapsed, collapsed[::-1]) == pytest.approx(0.0, abs=1e-12)


def _uniformity_of_a_sphere(dimensions: int) -> float:
    """Mean of exp(-4 (1 - cosine)) over all directions, by quadrature over the cosine."""
    power = (dimensions - 3) / 2
    mean, mass = (
        scipy.integrate.quad(lambda c, s=s: math.exp(-4 * s * (1 - c)) * (1 - c * c) ** power, -1, 1)[0] for s in (1, 0)
    )
    return math.log(mean / mass)


def test_a_smaller_training_part_has_fewer_neighbours() -> None:
    assert [neighbours_of(size) for size in (1, 4, 49, 60, 1999, 2000, 10**6)] == [1, 4, 5, 6, 199, 200, 200]


def test_votes_of_many_codes_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(13)
    train, code, labels = rng.normal(size=(90, 5)), rng.normal(size=(40, 5)), rng.integers(0, 4, 90)
    whole = weighted_vote(train, labels, code)
    monkeypatch.setattr("losslens.measure.directions.BLOCK_ENTRIES", 270)
    assert (weighted_vote(train, labels, code) == whole).all()
    assert whole.dtype == labels.dtype
    assert (weighted_vote(train, labels, train, neighbours=1) == labels).all()


@pytest.mark.parametrize("training", [True, False])
def test_codes_at_the_end_of_float32(training: bool) -> None:
    huge = np.full((12, 2), -3e38)  # sums of it are minus infinity in float32, and with the others' not a number
    huge[[5, 9], 0] = 3e38
    labels = np.isin(np.arange(12), [5, 9]).astype(str)
    plain = np.where(huge > 0, 1.0, -1.0)
    code, train = (plain, huge) if training else (huge, plain)
    assert _finite(evaluate(Evidence(np.eye(12), np.eye(12), np.zeros(12), code, labels, train, labels)))


SPECIAL = [0.0, 1.0, -1.0, 1.1, 1e-45, -1e-38, 3e38, -3e38, 1e-7, 1e7]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_odd_values_give_a_number_or_none(data: st.DataObject) -> None:
    samples, features, width = (data.draw(st.integers(1, top)) for top in (12, 4, 2))
    numbers = st.sampled_from(data.draw(st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=3)))
    target, prediction = (data.draw(hnp.arrays(np.float32, (samples, features), elements=numbers)) for _ in range(2))
    mean = data.draw(hnp.arrays(np.float32, features, elements=numbers))
    code, train = (data.draw(hnp.arrays(np.float32, (samples, width), elements=numbers)) for _ in range(2))
    labels, known = (data.draw(st.lists(st.sampled_from("abc"), min_size=samples, max_size=samples)) for _ in range(2))
    scores = evaluate(Evidence(target, prediction, mean, code, labels, train, known, target[:, 0], "mass"))
    assert _finite(scores)
    bounded = RECONSTRUCTION - {"mse", "mae", "r2", "norm_ratio", "mse_nonzero"} | OF_CODE
    assert all(-1.0 <= scores[name] <= 1.0 for name in bounded if scores[name] is not None)  # type: ignore[operator]


# k-means, subsamples, determinism, cost ------------------------------------------------------------------------------


def test_kmeans_finds_the_best_partition() -> None:
    points = np.random.default_rng(11).normal(size=(7, 2)).astype(np.float32)

    def inertia(groups: tuple[int, ...] | np.ndarray) -> float:
        groups = np.asarray(groups)
        return sum(
            float(((points[groups == g] - points[groups == g].mean(0)) ** 2).sum()) for g in set(groups.tolist())
        )

    best = min(inertia(groups) for groups in product(range(3), repeat=7))
    assert inertia(cluster(points, 3, seed=0)) == pytest.approx(best, rel=1e-5)


def test_kmeans_with_fewer_different_codes_than_clusters() -> None:
    found = cluster(np.array([[1.0], [1.0], [1.0 + 1e-7], [2.0]], dtype=np.float32), 3, seed=0)
    assert found[0] == found[1] == found[2] != found[3]


def test_scores_of_perfect_clusters_do_not_exceed_one() -> None:
    for seed in range(30):  # rounding alone would take some of them to 1 + 2e-16
        labels = np.random.default_rng(seed).integers(0, 7, 60)
        evidence = Evidence(np.ones((60, 1)), np.ones((60, 1)), [0], 9.0 * np.eye(7)[labels], labels)
        assert METRICS["kmeans_ari"].compute(evidence) == 1.0
        assert 1.0 - 1e-12 < (METRICS["kmeans_nmi"].compute(evidence) or 0.0) <= 1.0


def test_subsamples_are_close_and_repeatable(cases: dict[str, Evidence], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(cases["several blocks"])
    monkeypatch.setattr("losslens.measure.reconstruction.AUROC_ENTRIES", 30_000)
    monkeypatch.setattr("losslens.measure.representation.TRUST_SAMPLES", 200)
    monkeypatch.setattr("losslens.measure.representation.KNN_TRAINING", 50)
    monkeypatch.setattr("losslens.measure.evidence.CLUSTER_SAMPLES", 250)
    part, again, other = (evaluate(replace(cases["several blocks"], seed=seed)) for seed in (3, 3, 4))
    assert part == again
    for name, tolerance in {
        "zero_auroc": 0.02,
        "trustworthiness": 0.05,
        "knn_accuracy": 0.3,
        "kmeans_nmi": 0.2,
    }.items():
        assert part[name] == pytest.approx(whole[name], abs=tolerance)
        assert len({whole[name], part[name], other[name]}) == 3


def test_same_evidence_same_numbers_bit_for_bit(cases: dict[str, Evidence]) -> None:
    for evidence in cases.values():
        first = evaluate(evidence)
        with threadpool_limits(2):
            again = evaluate(replace(evidence, target=evidence.target.copy(), prediction=evidence.prediction.copy()))
        assert first == again


def test_no_float64_copy_of_the_data() -> None:
    target = np.random.default_rng(0).normal(size=(2000, 2000)).astype(np.float32)  # 16 MB; 32 MB in float64
    evidence = Evidence(target, target[::-1].copy(), target.mean(axis=0))
    tracemalloc.start()
    try:
        evaluate(evidence)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < target.nbytes


def test_arrays_in_their_form_already_are_not_copied() -> None:
    target = np.ones((3, 2), dtype=np.float32)
    evidence = Evidence(target, [[1, 2]] * 3, [0, 1], labels=np.array(["x", "y", "z"], dtype=object))
    assert evidence.target is target
    assert evidence.prediction.dtype == np.float32
    assert evidence.labels.dtype.kind == "U"


# What the report says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(METRICS))
def test_explanations_are_one_or_two_sentences_with_a_unit(name: str) -> None:
    entry = METRICS[name]
    sentences = re.split(r"(?<=\.)\s+(?=[A-Z])", entry.explanation)
    assert entry.explanation.endswith(".")
    assert 1 <= len(sentences) <= 2
    assert entry.summary
    assert entry.title
    assert entry.unit.split()[0] in {"1", "data", "nats"}
    assert (entry.higher_is_better is None) == (name in {"norm_ratio", "active_units", "effective_rank", "kl_weight"})
    lower = name.startswith(("mse", "mae", "nats", "marginal_nats", "alignment", "uniformity")) or name.endswith("_gap")
    assert (entry.higher_is_better is False) == lower


def test_goals_choose_the_yardsticks_that_say_so() -> None:
    chosen = {
        goal: {GOALS[goal].yardstick(labelled=labelled, measure=measure).name
               for labelled in (True, False) for measure in ("mass", "density", None)}
        for goal in GOALS
    }  # fmt: skip
    assert chosen == {
        "direction": {"delta_cosine"},
        "magnitude": {"r2"},
        "likelihood": {"nats_mass", "nats_density"},
        "code": {"knn_accuracy", "trustworthiness"},
    }
    assert {name: entry.goal for name, entry in METRICS.items() if entry.goal} == {
        name: goal for goal, names in chosen.items() for name in names
    }
    assert all(len(GOALS[goal].explanation) > 80 and GOALS[goal].summary for goal in GOALS)


def test_goals_follow_the_data() -> None:
    assert GOALS["likelihood"].yardstick(measure="mass").name == "nats_mass"
    assert GOALS["likelihood"].yardstick(measure="density").name == "nats_density"
    assert GOALS["code"].yardstick(labelled=True).name == "knn_accuracy"
    assert GOALS["code"].yardstick(labelled=False).name == "trustworthiness"


def test_kmeans_never_decides() -> None:
    assert METRICS["kmeans_ari"].goal is METRICS["kmeans_nmi"].goal is METRICS["cosine"].goal is None


def test_wrong_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="'delta_cosine'"):
        METRICS["delta_cosin"]
    with pytest.raises(UnknownName, match="'direction'"):
        GOALS["directions"]
    assert METRICS["r_squared"] is METRICS["r2"]


GOOD = {"target": np.ones((3, 2)), "prediction": np.ones((3, 2)), "train_mean": np.ones(2)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"target": np.ones(3)}, r"target of shape \(at least 1, at least 1\), found \(3,\)"),
        ({"target": np.ones((0, 2)), "prediction": np.ones((0, 2))}, r"at least 1.*found \(0, 2\)"),
        ({"prediction": np.ones((3, 1))}, r"prediction of shape \(3, 2\), found \(3, 1\)"),
        ({"train_mean": np.ones(3)}, r"train_mean of shape \(2,\), found \(3,\)"),
        ({"train_mean": 1.0}, r"train_mean of shape \(2,\), found \(\)"),
        ({"code": np.ones((2, 4))}, r"code of shape \(3, at least 1\), found \(2, 4\)"),
        (
            {"code": np.ones((3, 4)), "train_code": np.ones((9, 5))},
            r"train_code of shape \(at least 1, 4\), found \(9, 5\)",
        ),
        ({"train_code": np.ones((9, 5)), "train_labels": ["a"]}, r"train_labels of shape \(9,\), found \(1,\)"),
        ({"labels": ["a", "b"]}, r"labels of shape \(3,\), found \(2,\)"),
        ({"nats": np.ones(2), "measure": "mass"}, r"nats of shape \(3,\), found \(2,\)"),
        ({"nats": np.ones(3)}, "a measure, 'mass' or 'density', with nats, found None"),
        ({"measure": "weight"}, "measure 'mass' or 'density', found 'weight'"),
        ({"prediction": [[1, np.nan]] * 3}, "finite values in prediction, found 3 of 6 missing or infinite.*diverged"),
        ({"prediction": np.full((3, 2), 1e300)}, "finite values in prediction, found 6 of 6"),
        ({"code": [[np.inf], [0], [0]]}, "finite values in code, found 1 of 3"),
        ({"views": (np.ones((3, 4)),)}, "codes of two views, found 1"),
        ({"views": (np.ones((3, 4)), np.ones((3, 5)))}, r"views of shape \(3, 4\), found \(3, 5\)"),
        ({"views": (np.ones((2, 4)), np.ones((3, 4)))}, r"views of shape \(3, at least 1\), found \(2, 4\)"),
        ({"code": np.ones((3, 2)), "views": [np.ones((3, 4))] * 2}, r"views of shape \(3, 2\), found \(3, 4\)"),
        ({"views": (np.ones((3, 1)), [[0.0], [1.0], [np.nan]])}, "finite values in views, found 1 of 3"),
        ({"said": ["a"]}, r"said of shape \(3,\), found \(1,\)"),
        ({"posterior": Posterior(np.array([1.0, np.inf, 0.0]), None)}, "finite values in bound, found 1 of 3"),
        ({"posterior": Posterior(None, np.nan)}, "finite values in kl_weight, found 1 of 1"),
    ],
)
def test_what_does_not_fit_together_is_refused(wrong: dict[str, object], message: str) -> None:
    Evidence(**GOOD)
    with pytest.raises(BadInput, match=message):
        Evidence(**{**GOOD, **wrong})
