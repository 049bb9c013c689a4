"""The common losses together with their gradient with respect to the output, written out.

The loss catalogue stays the definition: each form here equals the entry of the same name and its gradient
by autograd. Written out, a loss costs a few passes over the output instead of a graph. All of them write
over the output that they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from losslens.models.objective import Objective

ClosedForm = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # output, target -> loss, gradient


def closed_form(objective: Objective) -> ClosedForm | None:
    """Loss and gradient of an objective in one function, or None where autograd has to do it.

    >>> from losslens.models.spec import ObjectiveSpec
    >>> form = closed_form(Objective(ObjectiveSpec(loss="mse"), features=2, code=1))
    >>> form(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 1.0]]))
    (tensor(2.), tensor([[2., 0.]]))
    """
    form = _FORMS.get(objective.spec.loss)
    return partial(form, **objective.criterion.options) if form and objective.spec.link == "linear" else None


def _mse(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    residual, size = output.sub_(target), output.numel()
    loss = _product(residual, residual) / size
    return loss, residual.mul_(2.0 / size)


def _mae(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    residual, size = output.sub_(target), output.numel()
    slope = residual.sign()
    return _product(slope, residual) / size, slope.div_(size)


def _huber(output: Tensor, target: Tensor, delta: float) -> tuple[Tensor, Tensor]:
    residual, size = output.sub_(target), output.numel()
    slope = residual.clamp(-delta, delta)
    return (_product(slope, residual) - _product(slope, slope) / 2) / size, slope.div_(size)


def _cosine(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Half the squared chord between the directions; its gradient is what of the chord is tangent to the output's."""
    length, target_length = _lengths(output), _lengths(target)
    divisor = length.where(length > 0, 1.0)
    direction, chord = output.div_(divisor), target / target_length.where(target_length > 0, 1.0)
    torch.sub(direction, chord, out=chord)
    one_absent = (length > 0) != (target_length > 0)
    values = (torch.linalg.vecdot(chord, chord).unsqueeze(1) + one_absent) / 2
    gradient = chord.addcmul_(direction, values, value=-1.0).div_(divisor * len(output))
    return values.mean(), gradient


def _lengths(rows: Tensor) -> Tensor:
    """Norms of rows, summed in double precision: squares of large and of small values stay in range."""
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True, dtype=torch.float64)
    return norms.to(rows.dtype)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of two matrices, row by row: over millions of elements at once single precision would not do."""
    by_row: Tensor = torch.linalg.vecdot(a, b)
    return by_row.sum()


_FORMS: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {"mse": _mse, "mae": _mae, "huber": _huber, "cosine": _cosine}
