"""Activations across a dimension: every value depends on all others of its row."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from losslens.activations.entry import enter
from losslens.vocabulary.quantities import Choice, Interval, Option

_DIM = {"dim": Option(-1, Choice((-1, -2, -3, -4, 0, 1, 2, 3)))}
_GLOROT = "Glorot: small weights, so that the shares start nearly equal."


def _softmax(x: Tensor, *, dim: int) -> Tensor:
    return functional.softmax(x, dim)


enter(
    name="softmax",
    summary="Shares that sum to one, in proportion to the exponentials of the inputs.",
    formula=r"p_i = e^{x_i} / \sum_j e^{x_j}",
    derivative=r"\partial p_i / \partial x_j = p_i\,(\delta_{ij} - p_j)",
    options=_DIM,
    acts="dimension",
    compute=_softmax,
    make=nn.Softmax,
    range=Interval(0.0, 1.0),
    saturates="both",
    lipschitz=0.5,
    simplex=True,
    shift_invariant=True,
    initialisation=_GLOROT,
    use="As the output for class probabilities or shares, and for attention.",
    failure="Saturates where one input leads by much; its logarithm is better taken by log_softmax.",
    reference="Bridle, NeurIPS 1989",
    example='>>> losslens.ACTIVATIONS["softmax"].function(torch.tensor([0.0, 1.0]))\ntensor([0.2689, 0.7311])',
)


def _log_softmax(x: Tensor, *, dim: int) -> Tensor:
    return functional.log_softmax(x, dim)


enter(
    name="log_softmax",
    summary="Logarithm of the softmax: log probabilities, exact where the shares round to 0.",
    formula=r"l_i = x_i - \log \sum_j e^{x_j}",
    derivative=r"\partial l_i / \partial x_j = \delta_{ij} - e^{l_j}",
    options=_DIM,
    acts="dimension",
    compute=_log_softmax,
    make=nn.LogSoftmax,
    range=Interval(high=0.0),
    saturates="right",
    lipschitz=math.inf,
    shift_invariant=True,
    initialisation=_GLOROT,
    use="As the output for the negative log-likelihood of classes.",
    failure="Between layers its values are all negative and unbounded.",
    reference="none needed: the logarithm of the softmax",
    example='>>> losslens.ACTIVATIONS["log_softmax"].function(torch.tensor([0.0, 1.0]))\ntensor([-1.3133, -0.3133])',
)


def _softmin(x: Tensor, *, dim: int) -> Tensor:
    return functional.softmin(x, dim)


enter(
    name="softmin",
    summary="Shares that sum to one and favour the smallest inputs: the softmax of their negatives.",
    formula=r"p_i = e^{-x_i} / \sum_j e^{-x_j}",
    derivative=r"\partial p_i / \partial x_j = p_i\,(p_j - \delta_{ij})",
    options=_DIM,
    acts="dimension",
    compute=_softmin,
    make=nn.Softmin,
    range=Interval(0.0, 1.0),
    monotone=False,
    saturates="both",
    lipschitz=0.5,
    simplex=True,
    shift_invariant=True,
    initialisation=_GLOROT,
    use="For weights that fall with a distance or a cost.",
    failure="Saturates where one input is smaller than the others by much.",
    reference="none needed: the softmax of the negatives",
    example='>>> losslens.ACTIVATIONS["softmin"].function(torch.tensor([0.0, 1.0]))\ntensor([0.7311, 0.2689])',
)


def _sparsemax(x: Tensor, *, dim: int) -> Tensor:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    below = (wide - wide.amax(dim, keepdim=True).detach()).clamp_min(-1.0)  # what lies 1 below the largest gets nothing
    chosen = _support(below.detach(), dim)
    share = (torch.where(chosen, below, 0.0).sum(dim, keepdim=True) - 1.0) / chosen.sum(dim, keepdim=True)
    return torch.where(chosen, (below - share).clamp_min(0.0), 0.0).to(x.dtype)


def _support(x: Tensor, dim: int) -> Tensor:
    """Where the projection on the simplex is positive: above the threshold that leaves a sum of one."""
    ordered = x.sort(dim, descending=True).values
    sums, ranks = ordered.cumsum(dim), torch.ones_like(x).cumsum(dim)
    count = (1.0 + ranks * ordered > sums).sum(dim, keepdim=True)
    return x > (sums.gather(dim, count - 1) - 1.0) / count


enter(
    name="sparsemax",
    summary="Shares that sum to one and are exactly zero for small inputs: the nearest point of the simplex.",
    formula=r"p = \arg\min_{q \ge 0,\, \sum_j q_j = 1} \|q - x\|^2",
    derivative=r"\partial p_i / \partial x_j = \delta_{ij} - 1/|S| \text{ if } p_i, p_j > 0 \text{ else } 0, \quad "
    r"S = \{k : p_k > 0\}",
    options=_DIM,
    acts="dimension",
    compute=_sparsemax,
    range=Interval(0.0, 1.0),
    smoothness="C0",
    saturates="both",
    can_die=True,
    lipschitz=1.0,
    simplex=True,
    shift_invariant=True,
    initialisation=_GLOROT,
    use="For attention or shares where most should be exactly zero.",
    failure="What has no share gets no gradient; the logarithm of its values is not finite.",
    reference="Martins and Astudillo, ICML 2016",
    example='>>> losslens.ACTIVATIONS["sparsemax"].function(torch.tensor([0.0, 0.5, 2.0]))\ntensor([0., 0., 1.])',
)
