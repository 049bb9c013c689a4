"""In which precision a loss is computed: one for all its tensors, single at least, whatever they came in.

Networks under ``torch.autocast`` give bfloat16, data stay in float32, labels are integers. Mixed, some kernels of
PyTorch refuse them, others fail in the backward pass, and a logarithm in eight bits is off by a nat in a hundred. So a
loss computes in float32 at least and without autocast, and only its result is rounded to the precision of its tensors;
under autocast it stays in float32, as PyTorch's own losses do.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from losslens.vocabulary.quantities import Domain

if TYPE_CHECKING:
    from losslens.losses.family import LossEntry, Tensors


def alike(entry: LossEntry, tensors: Tensors, settings: Mapping[str, Any]) -> tuple[Tensors, Mapping[str, Any]]:
    """Tensors and settings in the precision to compute in; labels as 64-bit integers, learned numbers as tensors."""
    if entry.graph:  # a converted tensor would be another one to autograd
        return tensors, settings
    wide = torch.promote_types(given(tensors), torch.float32)
    if any(tensor.dtype is not wide for tensor in tensors):
        labels = entry.domain is Domain.LABELS
        arguments = zip(entry.family.arguments, tensors, strict=True)
        tensors = tuple(_converted(tensor, wide, labels and argument.target) for argument, tensor in arguments)
    numbers = {n: torch.as_tensor(settings[n], device=tensors[0].device) for n in entry.parameters if n in settings}
    return tensors, {n: v.to(wide) if isinstance(v, Tensor) else v for n, v in {**settings, **numbers}.items()}


def _converted(tensor: Tensor, wide: torch.dtype, label: bool) -> Tensor:
    return tensor.long() if label and not tensor.is_floating_point() else tensor.to(wide)


def given(tensors: Tensors) -> torch.dtype:
    """The precision that tensors have together: the widest of those that hold fractions."""
    kinds = {tensor.dtype for tensor in tensors}
    if len(kinds) > 1 or not tensors[0].is_floating_point():
        kinds = {kind for kind in kinds if kind.is_floating_point} or {torch.get_default_dtype()}
    return reduce(torch.promote_types, kinds)


def without_autocast(device: str) -> AbstractContextManager[Any]:
    """Products of matrices, too, in the precision of their tensors."""
    return torch.autocast(device, enabled=False) if _autocast(device) else nullcontext()


def rounded(result: Tensor, tensors: Tensors) -> Tensor:
    """A result in the precision of the tensors it came from, or as it is under autocast."""
    return result if _autocast(result.device.type) else result.to(given(tensors))


def _autocast(device: str) -> bool:
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
