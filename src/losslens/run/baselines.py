"""The rows that every table has: mean profile, zeros and PCA, and the likelihood each can honestly claim."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from losslens.measure.evidence import Measure
from losslens.models.objective import Batch
from losslens.run.prepared import Prepared


class Nats(NamedTuple):
    """Negative log-likelihood of each held-out profile, and whether it is of a mass or of a density."""

    values: Any
    measure: Measure


def principal_axes(prepared: Prepared, code: int, seed: int) -> Tensor:
    """The first ``code`` principal axes of the training part, (code, features); fewer samples give zero rows."""
    from sklearn.decomposition import PCA

    train = prepared.profiles(torch.from_numpy(prepared.split.train)).numpy()
    possible = min(code, *train.shape)
    axes = PCA(possible, svd_solver="covariance_eigh" if train.shape[1] <= 500 else "randomized", random_state=seed)
    filled = np.zeros((code, train.shape[1]), dtype=np.float32)
    filled[:possible] = axes.fit(train).components_
    return torch.from_numpy(filled)


def residual_nats(train_error: Any, test_error: Any) -> Nats:
    """Normal density around the prediction, its one variance taken from the training part."""
    variance = max(float(np.mean(np.square(train_error, dtype=np.float64))), 1e-12)
    squared = np.square(test_error, dtype=np.float64) / variance
    return Nats((squared + math.log(2 * math.pi * variance)).sum(1) / 2, "density")


def mean_count_nats(train: Batch, test: Batch) -> Nats:
    """Negative binomial around library size times the mean composition, dispersions by moments."""
    from losslens.losses.family import LOSSES

    assert train.counts is not None
    assert train.library is not None
    assert test.counts is not None
    assert test.library is not None
    share = (train.counts.sum(0) + 0.5) / (train.counts.sum() + 0.5 * train.counts.shape[1])
    mean = train.library * share
    excess = ((train.counts - mean).square() - mean).sum(0)
    theta = mean.square().sum(0) / excess.clamp_min(1e-6 * mean.square().sum(0).clamp_min(1e-12))
    nats = LOSSES["negative_binomial"].element(
        test.library * share, test.counts, inverse_dispersion=theta.clamp(1e-3, 1e6)
    )
    return Nats(nats.sum(1).double().numpy(), "mass")


def mean_binary_nats(train: Batch, test: Batch) -> Nats:
    """Bernoulli with each feature's training frequency, half a success and half a failure added."""
    rate = (train.profiles.double().sum(0) + 0.5) / (len(train.profiles) + 1.0)
    chosen = torch.where(test.profiles > 0.5, rate, 1.0 - rate)
    return Nats(-chosen.log().sum(1).numpy(), "mass")
