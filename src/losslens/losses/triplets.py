"""Ranking losses over triplets: the anchor nearer to its positive than to its negative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from losslens.losses import sweeps
from losslens.losses.family import Argument, Family, loss, mean_of_values
from losslens.losses.pairs import length
from losslens.vocabulary.quantities import Choice, Range

TRIPLET = Family(
    "triplet",
    "sample",
    tuple(Argument(name, "batch features") for name in ("anchor", "positive", "negative")),
    mean_of_values,
    sweeps=sweeps.triplets,
)
_RAISED = 1e-6
Distance = Callable[[Tensor, Tensor], Tensor]


@loss(
    TRIPLET,
    units="data units",
    smoothness="C0",
    convex=False,
    reference="Balntas, Riba, Ponsa and Mikolajczyk, BMVC 2016",
    use="When it is known which of two samples is the more alike, but not by how much.",
    failure="Random triplets are soon easy and teach nothing; a mean that stays at the margin is a collapse.",
    torch_line="torch.nn.TripletMarginLoss(margin={margin:g}, p={p:g}, swap={swap})",
)
def triplet_margin(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    margin: Annotated[float, Range(0.01, 100.0, log=True)] = 1.0,
    p: Annotated[float, Range(1.0, 10.0)] = 2.0,
    swap: Annotated[bool, Choice((False, True))] = False,
    distance: Distance | None = None,
) -> Tensor:
    r"""The anchor is to be nearer to its positive than to its negative, by a margin.

    .. math:: \max\bigl(0, d(a, p) - d(a, n) + m\bigr)

    Shapes: (batch, features) three times -> (batch,). The distance is the p-norm of the difference, each of whose
    numbers is raised by 1e-6 as PyTorch does, or any function of two such tensors given as ``distance``. With ``swap``
    the nearer of anchor and positive counts for the negative. A mean that stays at the margin: all rows are equal.

    >>> a, n = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 0.25]])
    >>> losslens.triplet_margin(a, a, n)
    tensor(0.7500)
    """
    measure = distance or _p_norm(p)
    near, far = measure(anchor, positive), measure(anchor, negative)
    far = torch.minimum(far, measure(positive, negative)) if swap else far
    return (near - far + margin).clamp_min(0.0)


def _p_norm(p: float) -> Distance:
    """As PyTorch measures it, but without powers out of range."""
    return lambda one, other: length(one - other + _RAISED, p)
