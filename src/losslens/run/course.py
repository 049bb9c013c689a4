"""What is read of a siamese network while it trains, on fixed rows of the validation part under fixed views."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from losslens.losses.profile import unit
from losslens.measure.directions import effective_rank_of, spread_of, weighted_vote
from losslens.models.memories import Named
from losslens.models.siamese import MethodObjective, SiameseNetwork
from losslens.run.batches import Rows, chunks

ROWS, TRAINING_ROWS = 512, 5000
READINGS = 50  # of a training, at most, beside the first and the last
Course = dict[str, list[float | None]]


@dataclass(frozen=True)
class Probe:
    """Two views of rows that stay the same, and labelled rows whose neighbours are counted.

    ``train`` and ``valid`` are row numbers, ``labels`` of all rows of the data as numbers, or None.
    """

    first: Tensor
    second: Tensor
    rows: Rows
    train: Tensor
    valid: Tensor
    labels: Tensor | None

    @torch.no_grad()
    def read(self, network: SiameseNetwork, objective: MethodObjective) -> dict[str, float | None]:
        """The objective, norms and directions of embeddings, and how often neighbours tell the label.

        Heads normalise by the batch they see, as in training, on a copy: nothing is left behind in the network.
        """
        named = copy.deepcopy(network).train()(self.first, self.second)
        return {
            "loss": _finite(float(objective(named))),
            **embedding(named),
            "knn_accuracy": None if self.labels is None else self._neighbours(network),
        }

    def _neighbours(self, network: SiameseNetwork) -> float | None:
        assert self.labels is not None
        network.eval()
        codes = [self._codes(network, index) for index in (self.train, self.valid)]
        return accuracy(codes[0], self.labels[self.train], codes[1], self.labels[self.valid])

    def _codes(self, network: SiameseNetwork, index: Tensor) -> Tensor:
        return torch.cat([network.encoder.encode(self.rows(part).profiles) for part in chunks(index)])


def embedding(named: Named) -> dict[str, float | None]:
    """Figures of the embeddings of one view, and of their agreement with the targets of the other.

    ``norm`` is their mean norm, ``positive_cosine`` the mean cosine of a pair, ``spread`` the standard deviation of a
    normalised feature times the root of their number (1 where directions are even, 0 where all agree),
    ``effective_rank`` the exponential of the entropy of the singular values of centred directions (Roy and Vetterli,
    EUSIPCO 2007). Where heads end in prototypes all four are of the scores, not of what is scored.

    >>> embedding({"p1": torch.eye(2), "t2": torch.eye(2)})["positive_cosine"]
    1.0
    """
    rows, targets = named["p1"], named["t2"]
    found = {
        "norm": float(rows.norm(dim=1).mean()),
        "positive_cosine": float((unit(rows) * unit(targets)).sum(1).mean()),
        **_spread(rows.cpu().numpy()),
    }
    return {name: _finite(value) for name, value in found.items()}


def _spread(rows: Any) -> dict[str, float]:
    finite = bool(np.isfinite(rows).all())
    figures = {"spread": spread_of, "effective_rank": effective_rank_of}
    return {name: figure(rows) if finite else math.nan for name, figure in figures.items()}


def accuracy(codes: Tensor, labels: Tensor, others: Tensor, truth: Tensor) -> float | None:
    """Share of ``others`` whose label the nearest of ``codes`` vote for (:func:`weighted_vote`)."""
    if not bool(codes.isfinite().all() and others.isfinite().all()):
        return None
    said = weighted_vote(codes.cpu().numpy(), labels.numpy(), others.cpu().numpy())
    return float((said == truth.numpy()).mean())


def is_read(epoch: int, epochs: int) -> bool:
    """Whether an epoch is read: all of a short training, evenly spaced ones and the last of a long one.

    >>> [epoch for epoch in range(201) if is_read(epoch, 200)][:3]
    [0, 4, 8]
    """
    return epoch == epochs or epoch % max(1, math.ceil(epochs / READINGS)) == 0


def numbered(labels: Any) -> Tensor | None:
    """Labels as numbers, or None where there are fewer than two."""
    if labels is None:
        return None
    names, numbers = np.unique(labels, return_inverse=True)
    return torch.from_numpy(numbers.astype(np.int64)) if len(names) > 1 else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
