"""Derivatives of a network's output by its coordinates, exact by autograd and differentiable again.

All take the output at many points at once: a point's output depends on no other point's coordinates. What does not
depend on the coordinates has derivatives of zero.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gradient(values: Tensor, coordinates: Tensor) -> Tensor:
    r""":math:`\nabla f`: (points,) and (points, inputs) -> (points, inputs).

    >>> from losslens.models.derivatives import gradient
    >>> x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    >>> gradient(x[:, 0] * x[:, 1] ** 2, x).tolist()
    [[4.0, 4.0]]
    """
    if not values.requires_grad:
        return torch.zeros_like(coordinates)
    return torch.autograd.grad(values.sum(), coordinates, create_graph=True, materialize_grads=True)[0]


def jacobian(values: Tensor, coordinates: Tensor) -> Tensor:
    """Gradients of every output: (points, outputs) and (points, inputs) -> (points, outputs, inputs)."""
    return torch.stack([gradient(column, coordinates) for column in values.unbind(-1)], dim=-2)


def divergence(vectors: Tensor, coordinates: Tensor) -> Tensor:
    r""":math:`\sum_i \partial v_i / \partial x_i`: (points, inputs) twice -> (points,).

    >>> from losslens.models.derivatives import divergence
    >>> x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    >>> divergence(x**2, x).tolist()
    [6.0]
    """
    return unmixed(vectors, coordinates).sum(-1)


def laplacian(values: Tensor, coordinates: Tensor) -> Tensor:
    r""":math:`\Delta f`, the divergence of the gradient: (points,) and (points, inputs) -> (points,).

    >>> from losslens.models.derivatives import laplacian
    >>> x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    >>> laplacian(x[:, 0] ** 3 + x[:, 1] ** 2, x).tolist()
    [8.0]
    """
    return divergence(gradient(values, coordinates), coordinates)


def unmixed(vectors: Tensor, coordinates: Tensor) -> Tensor:
    r""":math:`\partial v_i / \partial x_i` for every i: (points, inputs) twice -> (points, inputs)."""
    columns = [gradient(column, coordinates)[:, place] for place, column in enumerate(vectors.unbind(-1))]
    return torch.stack(columns, dim=-1)
