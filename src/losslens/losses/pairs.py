"""Losses of pairs: what belongs together comes near, what does not goes apart."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from losslens.losses import sweeps
from losslens.losses.family import Argument, Family, loss, mean_of_values
from losslens.losses.profile import chord
from losslens.losses.special import least
from losslens.vocabulary.quantities import Domain, Range

_SIGN = Argument("y", target=True)
RANKING = Family("ranking", "element", (Argument("x1"), Argument("x2"), _SIGN), mean_of_values, sweeps=sweeps.rankings)
SIGNED = Family("signed distance", "element", (Argument("x"), _SIGN), mean_of_values, sweeps=sweeps.distances)
PAIR = Family(
    "pair",
    "sample",
    (Argument("x1", "batch features"), Argument("x2", "batch features"), Argument("y", "batch", target=True)),
    mean_of_values,
    sweeps=sweeps.pairs,
)
Margin = Annotated[float, Range(0.0, 10.0)]


@loss(
    RANKING,
    units="data units",
    domain=Domain.SIGNS,
    smoothness="C0",
    reference="Joachims, KDD 2002",
    use="When of two scores only the order is known and wanted.",
    failure="With margin 0 equal scores cost nothing, so that constant scores win.",
    torch_line="torch.nn.MarginRankingLoss(margin={margin:g})",
)
def margin_ranking(x1: Tensor, x2: Tensor, y: Tensor, *, margin: Margin = 0.0) -> Tensor:
    r"""One score is to exceed the other by a margin: y = +1 says the first, y = -1 the second.

    .. math:: \max(0, -y\,(x_1 - x_2) + m)

    Shapes: all three alike, any. With margin 0 equal scores cost nothing, and constant scores win.

    >>> losslens.margin_ranking(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]))
    tensor(2.)
    """
    return functional.margin_ranking_loss(x1, x2, y, margin=margin, reduction="none")


@loss(
    SIGNED,
    units="data units",
    minimum=None,
    domain=Domain.SIGNS,
    smoothness="C0",
    reference="PyTorch, torch.nn.HingeEmbeddingLoss",
    use="When the network gives distances, and pairs are known to be alike or not.",
    failure="Fed with numbers that can be negative it has no floor, and alike pairs fall without end.",
    torch_line="torch.nn.HingeEmbeddingLoss(margin={margin:g})",
)
def hinge_embedding(x: Tensor, y: Tensor, *, margin: Margin = 1.0) -> Tensor:
    r"""Of a distance: as it is where y = +1 (alike), what it lacks of a margin where y = -1 (not alike).

    .. math:: x \text{ if } y = 1 \text{ else } \max(0, m - x)

    Shapes: alike, any. ``x`` should be a distance; below zero there is no floor.

    >>> losslens.hinge_embedding(torch.tensor([0.25, 0.25]), torch.tensor([1.0, -1.0]), reduction="none")
    tensor([0.2500, 0.7500])
    """
    return functional.hinge_embedding_loss(x, y, margin=margin, reduction="none")


@loss(
    PAIR,
    units="1 (dimensionless, 0 to 2)",
    domain=Domain.SIGNS,
    smoothness="C0",
    scale_invariant=True,
    convex=False,
    reference="PyTorch, torch.nn.CosineEmbeddingLoss",
    use="For pairs known to belong together or not, judged by their directions.",
    failure="At margin 0 unlike pairs need only be orthogonal, and its pull fades as rows grow long.",
    torch_line="torch.nn.CosineEmbeddingLoss(margin={margin:g})",
)
def cosine_embedding(x1: Tensor, x2: Tensor, y: Tensor, *, margin: Annotated[float, Range(-1.0, 1.0)] = 0.0) -> Tensor:
    r"""Directions of pairs that belong together (y = +1) are to agree, of others (y = -1) to differ enough.

    .. math:: 1 - \cos(x_1, x_2) \text{ if } y = 1 \text{ else } \max(0, \cos(x_1, x_2) - m)

    Shapes: (batch, features) twice and (batch,) -> (batch,). ``y`` says whether the two rows of a pair belong together:
    it is no class and no weight. The margin concerns only pairs that do not: it is the cosine up to which they are
    left alone. At 0 they need only be orthogonal; at -1 they are pushed to be opposite; at 0.5 a cosine up to one half
    costs nothing. Zero rows as in :func:`cosine`.

    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> losslens.cosine_embedding(x, x, torch.tensor([1.0, -1.0]), reduction="none")
    tensor([0., 1.])
    """
    apart = chord(x1, x2)
    return torch.where(y == 1.0, apart, (1.0 - apart - margin).clamp_min(0.0))


@loss(
    PAIR,
    units="data units squared",
    domain=Domain.SIGNS,
    smoothness="C0",
    convex=False,
    reference="Hadsell, Chopra and LeCun, CVPR 2006",
    use="For pairs known to belong together or not, when distances in the code are to mean something.",
    failure="Rows that are all equal are stuck: a pair at distance zero has no direction to part in.",
    torch_line="lambda x1, x2, y: torch.where(y == 1, (x1 - x2).norm(dim=1)**2 / 2,"
    " ({margin:g} - (x1 - x2).norm(dim=1)).clamp_min(0)**2 / 2).mean()",
)
def contrastive(
    x1: Tensor, x2: Tensor, y: Tensor, *, margin: Annotated[float, Range(0.01, 100.0, log=True)] = 1.0
) -> Tensor:
    r"""Pairs that belong together (y = +1) come near, others (y = -1) are pushed beyond a margin.

    .. math:: \tfrac12 d^2 \text{ if } y = 1 \text{ else } \tfrac12 \max(0, m - d)^2, \qquad d = \|x_1 - x_2\|

    Shapes: (batch, features) twice and (batch,) -> (batch,). A mean that stays at a quarter of the squared margin
    with balanced pairs means that all rows are equal: a pair at distance zero has no direction to part in.

    >>> x1, x2 = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 0.5]])
    >>> losslens.contrastive(x1, x2, torch.tensor([-1.0]))
    tensor(0.1250)
    """
    together = (x1 - x2).square().sum(-1) / 2.0
    return torch.where(y == 1.0, together, (margin - length(x1 - x2)).clamp_min(0.0).square() / 2.0)


def length(rows: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm of each row, without powers of what is large or small; its gradient at zero is zero.

    >>> length(torch.tensor([[3e30, 4e30], [0.0, 0.0]]))
    tensor([5.0000e+30, 0.0000e+00])
    """
    unit = rows.detach().abs().amax(-1, keepdim=True).clamp_min(least(rows))
    size: Tensor = torch.linalg.vector_norm(rows / unit, p, dim=-1)
    return unit.squeeze(-1) * size
