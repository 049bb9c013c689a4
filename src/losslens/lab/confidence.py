"""Whether a longer embedding is a surer one: accuracy by norm."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from losslens.vocabulary.errors import BadInput


@dataclass(frozen=True)
class NormBin:
    """Samples whose norm, scaled to 0 for the shortest and 1 for the longest, lies in one bin.

    >>> losslens.lab.accuracy_by_norm(torch.tensor([1.0, 2.0]), torch.tensor([False, True]), bins=2, fewest=1)[1]
    NormBin(low=0.5, high=1.0, samples=1, accuracy=1.0)
    """

    low: float
    high: float
    samples: int
    accuracy: float


def accuracy_by_norm(norms: Tensor, right: Tensor, *, bins: int = 20, fewest: int = 10) -> tuple[NormBin, ...]:
    """Share of right answers by norm, in equal bins from the shortest to the longest; bins of too few are left out.

    Shapes: (samples,) twice. BadInput if shapes differ or nothing is there.

    Source: the protocol of Draganov et al., arXiv 2502.09252: norms scaled to [0, 1], 20 bins, those of 10 or more.

    >>> norms, right = torch.tensor([1.0, 1.1, 3.0, 2.9]), torch.tensor([True, False, True, True])
    >>> [each.accuracy for each in losslens.lab.accuracy_by_norm(norms, right, bins=2, fewest=2)]
    [0.5, 1.0]
    """
    scaled = scaled_norms(norms, right)
    places = (scaled * bins).long().clamp_max(bins - 1)
    found = []
    for place in range(bins):
        inside = right[places == place].double()
        if len(inside) >= fewest:
            found.append(NormBin(place / bins, (place + 1) / bins, len(inside), float(inside.mean())))
    return tuple(found)


def scaled_norms(norms: Tensor, right: Tensor) -> Tensor:
    """Norms as shares of the way from the smallest to the largest; all 0 where they are the same.

    >>> losslens.lab.scaled_norms(torch.tensor([1.0, 2.0, 3.0]), torch.ones(3))
    tensor([0.0000, 0.5000, 1.0000])
    """
    if norms.shape != right.shape or norms.dim() != 1 or len(norms) == 0:
        raise BadInput(
            expected="a norm and an answer for each of at least one sample",
            found=f"{tuple(norms.shape)} and {tuple(right.shape)}",
        )
    low, high = norms.aminmax()
    return (norms - low) / torch.where(high > low, high - low, 1.0)


def accuracy_by_half(norms: Tensor, right: Tensor, labels: Tensor) -> tuple[float, float]:
    """Accuracy of the shorter and of the longer half of each class, as means over classes.

    Rare classes may be short and hard at once; within a class that explains nothing. Shapes: (samples,) thrice.

    >>> norms, labels = torch.tensor([1.0, 2.0, 5.0, 6.0]), torch.tensor([0, 0, 1, 1])
    >>> losslens.lab.accuracy_by_half(norms, torch.tensor([False, True, True, True]), labels)
    (0.5, 1.0)
    """
    shorter, longer = [], []
    for label in torch.unique(labels):
        members = labels == label
        order = norms[members].argsort(stable=True)
        half, answers = len(order) // 2, right[members].double()[order]
        if half:
            shorter.append(answers[:half].mean())
            longer.append(answers[-half:].mean())
    if not shorter:
        raise BadInput(expected="a class of at least two samples", found="none")
    return float(torch.stack(shorter).mean()), float(torch.stack(longer).mean())
