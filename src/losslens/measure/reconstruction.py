"""Yardsticks of the reconstruction: how close the prediction comes to the held-out profile.

All add up in float64, block by block. A row or feature without a direction (zeros, or nothing left after
centring) counts as a cosine or correlation of 0, so that predicting nothing is never rewarded. After
centring, what is left counts as nothing if it is below a millionth of the row's norm: that is float32 rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from losslens.measure.evidence import Doubles, Evidence
from losslens.measure.metrics import metric

ROUNDING = 1e-12  # the square of a millionth
AUROC_ENTRIES = 2_000_000


@metric(
    title="Cosine",
    unit="1 (dimensionless, -1 to 1)",
    higher_is_better=True,
    explanation="Cosine of the angle between each held-out profile and its reconstruction, averaged over profiles. "
    "It flatters everything: the mean profile alone often reaches 0.8, so compare it with the baselines' rows.",
)
def cosine(evidence: Evidence) -> float | None:
    """Mean cosine similarity per profile; 0 where the target or the prediction is all zeros."""
    return _mean_over_profiles(evidence, lambda target, prediction: _cosines(target, prediction, 0.0, 0.0))


@metric(
    title="Pearson",
    unit="1 (dimensionless, -1 to 1)",
    higher_is_better=True,
    explanation="Correlation across features between each held-out profile and its reconstruction, averaged over "
    "profiles. Like the cosine it is high already for the mean profile.",
)
def pearson(evidence: Evidence) -> float | None:
    """Mean Pearson correlation per profile; 0 where target or prediction is constant, None with one feature."""
    if evidence.target.shape[1] < 2:
        return None
    return _mean_over_profiles(
        evidence,
        lambda target, prediction: _cosines_about(
            target, target.mean(axis=1, keepdims=True), prediction, prediction.mean(axis=1, keepdims=True)
        ),
    )


@metric(
    title="Delta-cosine",
    unit="1 (dimensionless, -1 to 1)",
    higher_is_better=True,
    goal="direction",
    explanation="Cosine between what sets a held-out profile apart from the training mean and what the "
    "reconstruction says sets it apart, averaged over profiles. The mean profile scores 0, a perfect model 1.",
)
def delta_cosine(evidence: Evidence) -> float | None:
    """Mean cosine per profile after taking the training mean from both; 0 where either difference is zero."""
    mean = evidence.train_mean.astype(np.float64)
    return _mean_over_profiles(evidence, lambda target, prediction: _cosines_about(target, mean, prediction, mean))


@metric(
    title="Per-feature Pearson",
    unit="1 (dimensionless, -1 to 1)",
    higher_is_better=True,
    explanation="Correlation across held-out samples between each feature and its reconstruction, averaged over the "
    "features that vary. A feature predicted as a constant counts as 0.",
)
def feature_pearson(evidence: Evidence) -> float | None:
    """Mean correlation across samples, over features that vary in the test part; None if none does."""
    samples = len(evidence.target)
    target_mean = evidence.target.sum(axis=0, dtype=np.float64) / samples
    prediction_mean = evidence.prediction.sum(axis=0, dtype=np.float64) / samples
    products, targets, predictions = np.zeros((3, evidence.target.shape[1]))
    for target, prediction in evidence.blocks():
        target -= target_mean
        prediction -= prediction_mean
        products += np.einsum("ij,ij->j", target, prediction)
        targets += np.einsum("ij,ij->j", target, target)
        predictions += np.einsum("ij,ij->j", prediction, prediction)
    varies = targets > ROUNDING * samples * target_mean**2
    moves = predictions > ROUNDING * samples * prediction_mean**2
    return float(_ratios(products, targets, predictions, varies & moves)[varies].mean()) if varies.any() else None


@metric(
    title="MSE",
    unit="data units squared",
    higher_is_better=False,
    explanation="Squared error, averaged over all entries of the held-out profiles. Large values dominate it.",
)
def mse(evidence: Evidence) -> float | None:
    """Mean squared error over all entries."""
    return _pooled(evidence, _squared_error) / evidence.target.size


@metric(
    title="MAE",
    unit="data units",
    higher_is_better=False,
    explanation="Absolute error, averaged over all entries of the held-out profiles. On data that are mostly zeros it "
    "rewards predicting zeros.",
)
def mae(evidence: Evidence) -> float | None:
    """Mean absolute error over all entries."""
    total = _pooled(evidence, lambda target, prediction: float(np.abs(target - prediction).sum()))
    return total / evidence.target.size


@metric(
    title="R\N{SUPERSCRIPT TWO}",
    unit="1 (share of variance, at most 1)",
    higher_is_better=True,
    goal="magnitude",
    aliases=("r_squared",),
    explanation="Share of the held-out variation around the training mean that the reconstruction explains, over all "
    "entries together. The mean profile scores 0, a perfect model 1, worse than the mean profile is negative.",
)
def r2(evidence: Evidence) -> float | None:
    """One minus squared error over squared distance from the training mean profile; None if all equal that mean."""
    mean = evidence.train_mean.astype(np.float64)
    total = _pooled(evidence, lambda target, _: _squared_error(target, mean))
    if total <= ROUNDING * _pooled(evidence, lambda target, _: float(np.vdot(target, target))):
        return None
    return 1.0 - _pooled(evidence, _squared_error) / total


@metric(
    title="Norm ratio",
    unit="1 (ratio, best at 1)",
    higher_is_better=None,
    explanation="Length of the reconstruction over length of the held-out profile, averaged over profiles. "
    "Below 1 the model shrinks profiles, above 1 it inflates them.",
)
def norm_ratio(evidence: Evidence) -> float | None:
    """Mean of the prediction's norm over the target's norm; zero targets are left out, None if all are zero."""
    pairs = [(_squares(target), _squares(prediction)) for target, prediction in evidence.blocks()]
    targets, predictions = (np.sqrt(np.concatenate(side)) for side in zip(*pairs, strict=True))
    present = targets > 0
    return float((predictions[present] / targets[present]).mean()) if present.any() else None


@metric(
    title="MSE on non-zeros",
    unit="data units squared",
    higher_is_better=False,
    explanation="Squared error averaged over the entries whose held-out value is not zero; for data with at least 30 % "
    "zeros. It shows whether a low MSE was bought by predicting zeros.",
)
def mse_nonzero(evidence: Evidence) -> float | None:
    """Mean squared error over non-zero entries of sparse data; None for dense data or only zeros."""
    present = int(np.count_nonzero(evidence.target))
    if not evidence.sparse or present == 0:
        return None
    return _pooled(evidence, lambda target, prediction: _squared_error(target, prediction * (target != 0))) / present


@metric(
    title="Zero detection AUROC",
    unit="1 (probability, 0.5 is chance)",
    higher_is_better=True,
    explanation="Probability that an entry that is zero in the held-out data is predicted lower than one that is not; "
    "for data with at least 30 % zeros. It includes what the feature's mean level alone tells.",
)
def zero_auroc(evidence: Evidence) -> float | None:
    """Area under the ROC curve of minus the prediction for "is exactly zero", by ranks; ties count half.

    Above two million entries, as many are drawn at random with the evidence's seed.
    """
    if not evidence.sparse:
        return None
    target, prediction = evidence.target.ravel(), evidence.prediction.ravel()
    if target.size > AUROC_ENTRIES:
        drawn = np.random.default_rng(evidence.seed).integers(0, target.size, AUROC_ENTRIES)
        target, prediction = target[drawn], prediction[drawn]
    return _probability_lower(prediction[target == 0], prediction[target != 0])


@metric(
    title="NLL of counts",
    unit="nats per profile",
    higher_is_better=False,
    goal="likelihood",
    explanation="Negative log-probability of a held-out profile of counts or zeros and ones under the model, averaged "
    "over profiles. One nat less means 2.7 times more probable; only likelihoods have it.",
)
def nats_mass(evidence: Evidence) -> float | None:
    """Mean held-out negative log-likelihood under a probability mass function."""
    return _mean_nats(evidence, "mass")


@metric(
    title="NLL density",
    unit="nats per profile",
    higher_is_better=False,
    goal="likelihood",
    explanation="Negative log-density of a held-out profile under the model, averaged over profiles. Only differences "
    "mean something (one nat less is 2.7 times denser); it may be negative, and only likelihoods have it.",
)
def nats_density(evidence: Evidence) -> float | None:
    """Mean held-out negative log-likelihood under a probability density."""
    return _mean_nats(evidence, "density")


def _mean_nats(evidence: Evidence, measure: str) -> float | None:
    if evidence.nats is None or evidence.measure != measure:
        return None
    return float(evidence.nats.mean())


def _mean_over_profiles(evidence: Evidence, each: Callable[[Doubles, Doubles], Doubles]) -> float:
    return float(np.concatenate([each(*block) for block in evidence.blocks()]).mean())


def _pooled(evidence: Evidence, total: Callable[[Doubles, Doubles], float]) -> float:
    return math.fsum(float(total(*block)) for block in evidence.blocks())


def _squares(rows: Doubles) -> Doubles:
    return np.asarray(np.einsum("ij,ij->i", rows, rows))


def _squared_error(target: Doubles, prediction: Doubles) -> float:
    error = target - prediction
    return float(np.einsum("ij,ij->", error, error))


def _cosines_about(target: Doubles, target_centre: Doubles, prediction: Doubles, centre: Doubles) -> Doubles:
    """Cosines of the rows after taking a centre from each, deaf to float32 rounding."""
    floors = ROUNDING * _squares(target), ROUNDING * _squares(prediction)
    return _cosines(target - target_centre, prediction - centre, *floors)


def _cosines(a: Doubles, b: Doubles, floor_a: Doubles | float, floor_b: Doubles | float) -> Doubles:
    """Cosine of each pair of rows; 0 where a squared norm is not above its floor."""
    squares_a, squares_b = _squares(a), _squares(b)
    return _ratios(np.einsum("ij,ij->i", a, b), squares_a, squares_b, (squares_a > floor_a) & (squares_b > floor_b))


def _ratios(products: Doubles, squares_a: Doubles, squares_b: Doubles, defined: npt.NDArray[np.bool_]) -> Doubles:
    values = np.zeros_like(products)
    np.divide(products, np.sqrt(squares_a) * np.sqrt(squares_b), out=values, where=defined)
    return np.clip(values, -1.0, 1.0)


def _probability_lower(low: npt.NDArray[np.float32], high: npt.NDArray[np.float32]) -> float | None:
    """Probability that a member of ``low`` lies below one of ``high``, ties half; None if either is empty."""
    if not (low.size and high.size):
        return None
    low, high = np.sort(low), np.sort(high)
    below = np.searchsorted(high, low, "left").sum(dtype=np.int64)
    not_above = np.searchsorted(high, low, "right").sum(dtype=np.int64)
    return 1.0 - float(below + not_above) / (2.0 * low.size * high.size)
