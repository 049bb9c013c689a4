"""What a mask hides: missing values, features, samples or results, which count as absent whatever they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from losslens.losses.precision import alike, without_autocast

if TYPE_CHECKING:
    from losslens.losses.family import Family, LossEntry, Tensors

_NEUTRAL_OUTPUT = {"softmax": 1.0, "softplus": 1.0, "sigmoid": 0.5}


def entry_values(entry: LossEntry, tensors: Tensors, mask: Tensor | None, settings: Mapping[str, Any]) -> Tensor:
    """Values before weights and reduction, in float32 at least; what a mask hides counts as absent, whatever it is."""
    tensors, settings = alike(entry, tensors, settings)
    with without_autocast(tensors[0].device.type):
        return _values(entry, tensors, mask, settings)


def _values(entry: LossEntry, tensors: Tensors, mask: Tensor | None, settings: Mapping[str, Any]) -> Tensor:
    if mask is None:
        return entry.element(*tensors, **settings)
    if entry.family.masks == "features":
        return entry.element(*tensors, mask=mask, **settings)
    if entry.family.masks == "results":
        return torch.where(mask, entry.element(*tensors, **settings), 0.0)
    if entry.family.gives == "element":
        fill = {False: _NEUTRAL_OUTPUT.get(entry.link or "", 0.0), True: entry.domain.member}
        shown = [torch.where(mask, t, fill[a.target]) for a, t in zip(entry.family.arguments, tensors, strict=True)]
        return torch.where(mask, entry.element(*shown, **settings), 0.0)
    return _values_of_rows(entry, tensors, mask, settings)


def _values_of_rows(entry: LossEntry, tensors: Tensors, mask: Tensor, settings: Mapping[str, Any]) -> Tensor:
    """The loss of the rows that are present, and zero for the others."""
    if not mask.any():
        nothing = tensors[0][mask].sum()
        return nothing.expand(mask.shape) if entry.family.gives == "sample" else nothing
    arguments = zip(entry.family.arguments, tensors, strict=True)
    present = (tensor[mask] if argument.shape.startswith("batch") else tensor for argument, tensor in arguments)
    values = entry.element(*present, **settings)
    return values if entry.family.gives == "batch" else values.new_zeros(mask.shape).masked_scatter(mask, values)


def weight_of_present(family: Family, values: Tensor, weight: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Absent elements, and samples of which nothing is present, weigh nothing in a mean."""
    weight = None if weight is None else weight.to(values.dtype)
    if mask is None or family.gives == "batch":
        return weight
    present = (mask.flatten(values.dim()).any(-1) if family.masks == "features" else mask).to(values.dtype)
    return present if weight is None else weight * present
