"""Yardsticks of models as descriptions of how data arise: posteriors, expected counts, values told from others."""

from __future__ import annotations

import numpy as np

from losslens.measure.evidence import Evidence
from losslens.measure.metrics import metric

ACTIVE = 0.01  # variance of the posterior's mean from which a unit under a unit prior counts as used
USED = 0.01  # the same as a share of the largest variance, for codes without a prior


@metric(
    title="Active units",
    unit="1 (number of units)",
    higher_is_better=None,
    explanation="Code units that vary over held-out samples: of variational models those whose posterior mean has a "
    "variance above 0.01 (Burda, Grosse and Salakhutdinov, ICLR 2016), of others those with at least a hundredth of "
    "the largest variance; a variational model with few of them has collapsed.",
)
def active_units(evidence: Evidence) -> float | None:
    """How many code units vary; None without a code or with fewer than two samples."""
    if evidence.code is None or len(evidence.code) < 2:
        return None
    variance = evidence.code.var(axis=0, dtype=np.float64)
    least = ACTIVE if evidence.posterior else USED * float(variance.max())
    return float((variance > least).sum()) if least > 0 else 0.0


@metric(
    title="KL weight",
    unit="1 (beside half the squared error, or nats)",
    higher_is_better=None,
    explanation="What a nat of divergence from the prior weighs beside half the squared error of a profile (beside a "
    "nat, for data that are not real numbers): 1 is an evidence lower bound. Tools differ in it by a factor of "
    "thousands under one name, through means in place of sums.",
)
def kl_weight(evidence: Evidence) -> float | None:
    """The effective weight of the divergence; None where there is none or the loss has no such scale."""
    return None if evidence.posterior is None else evidence.posterior.kl_weight


@metric(
    title="NLL of counts, all codes",
    unit="nats per profile",
    higher_is_better=False,
    explanation="Importance-weighted bound on the negative log-probability of a held-out profile of counts or zeros "
    "and ones, all codes considered: what other variational models report. The NLL beside it takes the code as known.",
)
def marginal_nats_mass(evidence: Evidence) -> float | None:
    """Mean importance-weighted bound; None for models without a posterior or a probability mass function."""
    return _mean_bound(evidence, "mass")


@metric(
    title="NLL density, all codes",
    unit="nats per profile",
    higher_is_better=False,
    explanation="Importance-weighted bound on the negative log-density of a held-out profile, all codes considered: "
    "what other variational models report. The NLL density beside it takes the code as known.",
)
def marginal_nats_density(evidence: Evidence) -> float | None:
    """Mean importance-weighted bound; None for models without a posterior or a probability density."""
    return _mean_bound(evidence, "density")


def _mean_bound(evidence: Evidence, measure: str) -> float | None:
    if evidence.posterior is None or evidence.posterior.bound is None or evidence.measure != measure:
        return None
    return float(evidence.posterior.bound.mean())


@metric(
    title="Zeros, gap",
    unit="1 (share of samples)",
    higher_is_better=False,
    explanation="How far the share of zeros that a model of counts expects in a feature is from the share seen on the "
    "held-out part, on average over features. Only models of counts have it.",
)
def zeros_gap(evidence: Evidence) -> float | None:
    """Mean absolute difference of expected and seen shares of zeros over features."""
    if evidence.spread is None:
        return None
    return float(np.abs(evidence.spread.zeros_expected - evidence.spread.zeros_seen).mean())


@metric(
    title="Variance, gap",
    unit="1 (decades)",
    higher_is_better=False,
    explanation="How many decades the variance that a model of counts expects of a feature is from the variance seen "
    "on the held-out part: the median over features. Only models of counts have it.",
)
def variance_gap(evidence: Evidence) -> float | None:
    """Median absolute log10 ratio of expected and seen variances, over features that vary."""
    if evidence.spread is None:
        return None
    varies = (evidence.spread.variance_seen > 0) & (evidence.spread.variance_expected > 0)
    if not varies.any():
        return None
    ratio = evidence.spread.variance_expected[varies] / evidence.spread.variance_seen[varies]
    return float(np.median(np.abs(np.log10(ratio))))


@metric(
    title="R\N{SUPERSCRIPT TWO}, hidden values",
    unit="1 (at most 1)",
    higher_is_better=True,
    explanation="A fifth of the values of a held-out profile is hidden, and the model fills them from the others; this "
    "is R\N{SUPERSCRIPT TWO} around the training mean over those values. A code that copies noise gains nothing here, "
    "so that it tells how long a code is worth having.",
)
def hidden_r2(evidence: Evidence) -> float | None:
    """One minus squared error over squared distance from the mean, of hidden values; None if they do not vary."""
    if evidence.hidden is None:
        return None
    around = float(np.square(evidence.hidden.seen - evidence.hidden.mean).sum())
    error = float(np.square(evidence.hidden.seen - evidence.hidden.said).sum())
    return 1.0 - error / around if around > 0 else None
