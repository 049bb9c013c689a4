"""What is read of a siamese network while it trains, on fixed rows of the validation part under fixed views."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from losslens.losses.profile import unit
from losslens.measure.representation import spectral_rank
from losslens.models.memories import Named
from losslens.models.siamese import MethodObjective, SiameseNetwork
from losslens.run.batches import Rows, chunks

ROWS, TRAINING_ROWS = 512, 5000
READINGS = 50  # of a training, at most, beside the first and the last
NEIGHBOURS, TEMPERATURE = 200, 0.1
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
    EUSIPCO 2007).

    >>> embedding({"p1": torch.eye(2), "t2": torch.eye(2)})["positive_cosine"]
    1.0
    """
    rows, targets = named["p1"], named["t2"]
    directions = unit(rows)
    found = {
        "norm": rows.norm(dim=1).mean(),
        "positive_cosine": (directions * unit(targets)).sum(1).mean(),
        "spread": directions.std(0, correction=0).square().mean().sqrt() * math.sqrt(rows.shape[1]),
        "effective_rank": _rank(directions),
    }
    return {name: _finite(float(value)) for name, value in found.items()}


def _rank(rows: Tensor) -> float:
    return spectral_rank(rows.cpu().numpy()) if bool(rows.isfinite().all()) else math.nan


def accuracy(codes: Tensor, labels: Tensor, others: Tensor, truth: Tensor) -> float | None:
    """Share of ``others`` whose label the nearest of ``codes`` vote for, by weights exp(cosine / 0.1).

    As papers on self-supervised learning have it, with 200 neighbours; on small sets with a tenth of the rows.
    """
    if not bool(codes.isfinite().all() and others.isfinite().all()):
        return None
    near = min(NEIGHBOURS, max(5, len(codes) // 10), len(codes))
    similar, place = (functional.normalize(others) @ functional.normalize(codes).T).topk(near)
    votes = functional.one_hot(labels[place]).to(similar) * (similar / TEMPERATURE).exp().unsqueeze(2)
    return float((votes.sum(1).argmax(1) == truth).double().mean())


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
