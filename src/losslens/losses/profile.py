"""Profile losses: one value per sample, judging the shape of the whole row.

Rows are divided by their largest absolute value before anything is squared, which changes no direction and
keeps squares of very large and very small numbers in range.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from losslens.losses.family import PROFILE, loss
from losslens.vocabulary.quantities import Range


@loss(
    PROFILE,
    candidate=True,
    units="1 (dimensionless, 0 to 2)",
    elicits="direction of the mean of the normalised profiles",
    convex=False,
    scale_invariant=True,
    reference="Salton, Automatic Information Organization and Retrieval, 1968",
    torch_line="lambda output, target: (1 - torch.nn.functional.cosine_similarity(output, target)).mean()",
)
def cosine(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""One minus the cosine similarity: only the direction of the profile counts, not its magnitude.

    .. math:: 1 - \frac{\langle \hat x, x \rangle}{\|\hat x\| \|x\|}
              = \tfrac12 \left\| \frac{\hat x}{\|\hat x\|} - \frac{x}{\|x\|} \right\|^2

    Shapes: (batch, features) twice -> (batch,). The second form is computed: it is exact near zero, never
    negative, never above 2. Its gradient has size :math:`\sin\varphi / \|\hat x\|`.
    Zero rows: two of them are equal, value 0; one of them has no direction, value 1. The gradient at a zero
    output points towards the target; a zero target gives none.

    >>> output, target = torch.tensor([[1.0, 0.0], [2.0, 2.0]]), torch.tensor([[0.0, 1.0], [5.0, 5.0]])
    >>> losslens.cosine(output, target, reduction="none")
    tensor([1., 0.])
    """
    return chord(_present(output, mask), _present(target, mask))


@loss(
    PROFILE,
    candidate=True,
    units="1 (dimensionless, 0 to 2)",
    elicits="direction of the mean of the standardised profiles",
    convex=False,
    scale_invariant=True,
    shift_invariant=True,
    reference="Pearson, Proceedings of the Royal Society 58, 1895",
    torch_line="lambda output, target: (1 - torch.nn.functional.cosine_similarity("
    "output - output.mean(1, True), target - target.mean(1, True))).mean()",
)
def pearson(output: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""One minus the Pearson correlation of the two profiles: the cosine loss of the centred rows.

    .. math:: 1 - \frac{\langle \hat x - \bar{\hat x}, x - \bar x \rangle}
                       {\|\hat x - \bar{\hat x}\| \|x - \bar x\|}

    Shapes: (batch, features) twice -> (batch,). Blind to the row's mean and spread. A constant row counts
    as a zero row of :func:`cosine`.

    >>> losslens.pearson(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0, 20.0, 30.0]]))
    tensor(0.)
    """
    return _half_squared_chord(_scaled(_centred(output, mask)), _scaled(_centred(target, mask)))


@loss(
    PROFILE,
    candidate=True,
    units="mixed: 1 and data units squared",
    elicits="between direction and mean",
    convex=False,
    reference="sum of the two named losses",
    torch_line="lambda output, target: (1 - torch.nn.functional.cosine_similarity(output, target)).mean()"
    " + {magnitude:g} * torch.nn.functional.mse_loss(output, target)",
)
def cosine_plus_mse(
    output: Tensor,
    target: Tensor,
    *,
    mask: Tensor | None = None,
    magnitude: Annotated[float, Range(1e-3, 1e3, log=True)] = 1.0,
) -> Tensor:
    r"""The cosine loss plus a weighted mean squared error: direction first, size not free.

    .. math:: 1 - \cos(\hat x, x) + \frac{\lambda}{G} \sum_g (\hat x_g - x_g)^2

    Shapes: (batch, features) twice -> (batch,).

    >>> losslens.cosine_plus_mse(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.5000)
    """
    squared = (_present(output, mask) - _present(target, mask)).square().sum(-1)
    return cosine.entry.element(output, target, mask=mask) + magnitude * squared / _count(output, mask)  # type: ignore[attr-defined,no-any-return]


def chord(output: Tensor, target: Tensor) -> Tensor:
    """One minus the cosine similarity of rows, as half a squared chord; zero rows as in :func:`cosine`.

    >>> chord(torch.tensor([[1e30, 0.0]]), torch.tensor([[1e-30, 0.0]]))
    tensor([0.])
    """
    return _half_squared_chord(_scaled(output), _scaled(target))


def unit(rows: Tensor) -> Tensor:
    """Rows divided by their norm, without squaring what is large or small; a zero row stays zero.

    >>> unit(torch.tensor([[3e30, 4e30], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    return _normalised(_scaled(rows))[0]


def _half_squared_chord(output: Tensor, target: Tensor) -> Tensor:
    """``1 - cos`` of rows whose largest absolute value is one, or which are zero."""
    (output, no_output), (target, no_target) = _normalised(output), _normalised(target)
    one_absent = (no_output != no_target).to(output.dtype)
    return ((output - target).square().sum(-1) + one_absent) / 2.0


def _normalised(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows divided by their norm, zero rows left alone, and which rows those are."""
    squared = rows.square().sum(-1, keepdim=True)
    absent = squared == 0
    return rows / torch.where(absent, 1.0, squared).sqrt(), absent.squeeze(-1)


def _scaled(rows: Tensor) -> Tensor:
    largest = _largest(rows)
    return rows / torch.where(largest == 0, 1.0, largest)


def _centred(rows: Tensor, mask: Tensor | None) -> Tensor:
    """Rows minus their mean; what is left of a constant row is rounding and counts as zero.

    Centring precedes scaling: the other way round, scaling would round off the differences that it is to show.
    """
    rows = _present(rows, mask)
    mean = rows.sum(-1, keepdim=True) / _count(rows, mask).unsqueeze(-1)
    centred = _present(rows - mean, mask)
    constant = _largest(centred) <= 16 * torch.finfo(rows.dtype).eps * _largest(rows)
    return torch.where(constant, centred - centred.detach(), centred)


def _largest(rows: Tensor) -> Tensor:
    return rows.detach().abs().amax(-1, keepdim=True)


def _present(rows: Tensor, mask: Tensor | None) -> Tensor:
    return rows if mask is None else torch.where(mask, rows, 0.0)


def _count(rows: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return rows.new_full(rows.shape[:-1], rows.shape[-1])
    return mask.sum(-1).clamp_min(1).to(rows.dtype)
