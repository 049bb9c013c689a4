"""Two-view losses of whole batches: each pair agrees, and differs from the rest of the batch.

Rows are divided by their norm first, without squaring what is large or small. A zero row has cosine 0 with every other.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from losslens.losses import sweeps
from losslens.losses.family import Argument, Family, loss, mean_of_values
from losslens.losses.pairs import length
from losslens.losses.profile import chord, unit
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Range

TWO_VIEWS = Family(
    "two views",
    "sample",
    (Argument("a", "batch features"), Argument("b", "batch features")),
    mean_of_values,
    sweeps=sweeps.two_views,
)
Temperature = Annotated[float, Range(0.05, 5.0, log=True)]


@loss(
    TWO_VIEWS,
    units="nats",
    minimum=0.0,
    scale_invariant=True,
    independent=False,
    convex=False,
    reference="van den Oord, Li and Vinyals, arXiv 1807.03748, 2018",
    use="For two views of each sample, when it is to be told from all others in a batch.",
    failure="Small batches ask little, and samples of one kind are pushed apart like any others.",
    torch_line="lambda a, b: torch.nn.functional.cross_entropy("
    "torch.nn.functional.normalize(a) @ torch.nn.functional.normalize(b).T / {temperature:g}, torch.arange(len(a)))",
)
def info_nce(a: Tensor, b: Tensor, *, temperature: Temperature = 0.1) -> Tensor:
    r"""Each row of one view is to find its partner among all rows of the other.

    .. math:: -\log \frac{e^{\cos(a_i, b_i)/\tau}}{\sum_j e^{\cos(a_i, b_j)/\tau}}

    Shapes: (batch, features) twice -> (batch,), in one direction. The logarithm of the batch size means that nothing
    is told apart, and nothing below about that minus 2 / temperature can be reached. A batch of one costs nothing.

    >>> losslens.info_nce(torch.ones(4, 2), torch.ones(4, 2))
    tensor(1.3863)
    """
    similar = unit(a) @ unit(b).T / temperature
    return functional.cross_entropy(similar, torch.arange(len(a), device=a.device), reduction="none")


@loss(
    TWO_VIEWS,
    units="nats",
    minimum=0.0,
    scale_invariant=True,
    independent=False,
    convex=False,
    reference="Chen, Kornblith, Norouzi and Hinton, ICML 2020",
    use="For two augmented views as in SimCLR, with large batches.",
    failure="Its gradient fades as rows grow long, and in small batches the partner weakens it further.",
    torch_line="lambda a, b: (lambda z: torch.nn.functional.cross_entropy("
    "(z @ z.T / {temperature:g}).fill_diagonal_(-torch.inf), torch.arange(len(z)).roll(len(a))))"
    "(torch.nn.functional.normalize(torch.cat([a, b])))",
)
def nt_xent(a: Tensor, b: Tensor, *, temperature: Temperature = 0.5) -> Tensor:
    r"""SimCLR's loss: each view is to find the other among all other rows of both views.

    .. math:: -\log \frac{e^{\cos(z_i, z_j)/\tau}}{\sum_{k \ne i} e^{\cos(z_i, z_k)/\tau}}

    Shapes: (batch, features) twice -> (batch,), the mean of both directions. The partner stays among the candidates.
    Its gradient fades as one over the norm of a row, like that of every cosine.

    >>> losslens.nt_xent(torch.eye(2), torch.eye(2), temperature=0.5)
    tensor(0.2395)
    """
    return _mean_of_directions(functional.cross_entropy(*_all_pairs(a, b, temperature), reduction="none"))


@loss(
    TWO_VIEWS,
    units="nats",
    minimum=None,
    scale_invariant=True,
    independent=False,
    convex=False,
    reference="Yeh, Hong, Hsu, Liu, Chen and LeCun, ECCV 2022",
    use="In place of nt_xent where batches are small.",
    failure="Its gradient fades as rows grow long, and a value below zero looks wrong but is not.",
    torch_line="lambda a, b: (lambda z: ((z @ z.T / {temperature:g}).masked_fill(torch.eye(len(a)).repeat(2, 2).bool(),"
    " -torch.inf).logsumexp(1) - (z * z.roll(len(a), 0)).sum(1) / {temperature:g}).mean())"
    "(torch.nn.functional.normalize(torch.cat([a, b])))",
)
def decoupled_contrastive(a: Tensor, b: Tensor, *, temperature: Temperature = 0.1) -> Tensor:
    r"""Contrast without the partner in the denominator, so that small batches do not weaken its pull.

    .. math:: -\frac{\cos(z_i, z_j)}{\tau} + \log \sum_{k \ne i, j} e^{\cos(z_i, z_k)/\tau}

    Shapes and directions as :func:`nt_xent`. Raises BadInput on a batch of one, which has no negatives. May be
    negative.

    >>> losslens.decoupled_contrastive(torch.eye(2), torch.eye(2), temperature=0.5)
    tensor(-1.3069)
    """
    if len(a) < 2:
        raise BadInput(expected="a batch of at least two pairs", found="one", remedy="One pair has no negatives.")
    similar, partner = _all_pairs(a, b, temperature)
    same = torch.eye(len(a), dtype=torch.bool, device=a.device).repeat(2, 2)
    agreement = similar.gather(1, partner.unsqueeze(1)).squeeze(1)
    return _mean_of_directions(torch.logsumexp(similar.masked_fill(same, -torch.inf), 1) - agreement)


def _all_pairs(a: Tensor, b: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Similarities of all rows of both views, own ones minus infinity, and which row is each one's partner."""
    rows = torch.cat([unit(a), unit(b)])
    own = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    partner = torch.arange(len(rows), device=rows.device).roll(len(a))
    return (rows @ rows.T / temperature).masked_fill(own, -torch.inf), partner


def _mean_of_directions(cost: Tensor) -> Tensor:
    """One value for each pair, of the values of the rows of both views, one view after the other."""
    one, other = cost.chunk(2)
    return (one + other) / 2.0


@loss(
    TWO_VIEWS,
    units="1 (dimensionless, -1 to 1)",
    minimum=-1.0,
    scale_invariant=True,
    stops=("b",),
    convex=False,
    reference="Chen and He, CVPR 2021",
    use="For methods without negatives that predict a target which gets no gradient.",
    failure="A collapse of all rows into one has the best value, -1: watch the spread of normalised rows.",
    torch_line="lambda a, b: -torch.nn.functional.cosine_similarity(a, b.detach()).mean()",
)
def negative_cosine(a: Tensor, b: Tensor) -> Tensor:
    r"""The loss of SimSiam: the prediction turns towards a target that gets no gradient.

    .. math:: -\cos\bigl(a, \mathrm{stop}(b)\bigr)

    Shapes: (batch, features) twice -> (batch,). Without the stopped gradient (or a slow target) all rows soon agree
    and the value -1 says nothing: watch the spread of the normalised rows. BYOL's is twice this plus 2.
    One zero row counts as orthogonal, two as equal.

    >>> losslens.negative_cosine(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 0.0]]))
    tensor(-1.)
    """
    return chord(a, b.detach()) - 1.0


@loss(
    TWO_VIEWS,
    units="1 (dimensionless)",
    minimum=0.0,
    scale_invariant=True,
    convex=False,
    reference="Wang and Isola, ICML 2020",
    use="Beside uniformity, to train or to watch how close two views of a sample are.",
    failure="Alone it is best where all rows are alike: without uniformity codes collapse.",
    torch_line="lambda a, b: (torch.nn.functional.normalize(a) - torch.nn.functional.normalize(b))"
    ".norm(dim=1).pow({alpha:g}).mean()",
)
def alignment(a: Tensor, b: Tensor, *, alpha: Annotated[float, Range(1.0, 4.0)] = 2.0) -> Tensor:
    r"""How far the two views of a sample are apart on the unit sphere.

    .. math:: \left\| \frac{a}{\|a\|} - \frac{b}{\|b\|} \right\|^\alpha

    Shapes: (batch, features) twice -> (batch,). All rows alike cost nothing: it needs :func:`uniformity` beside
    it. At alpha 2 twice the cosine loss. A zero row stays at the centre: it is 1 from any other, 0 from a zero row.

    >>> losslens.alignment(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]))
    tensor(2.)
    """
    apart = unit(a) - unit(b)
    if alpha == 2.0:
        return apart.square().sum(-1)
    return length(apart) ** alpha
