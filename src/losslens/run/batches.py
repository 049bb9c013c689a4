"""Rows of the data in batches: in the order they stand, or in a random one for every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from losslens.models.objective import Batch

Rows = Callable[[Tensor], Batch]  # numbers of rows -> a batch
_CHUNK = 512  # rows that are passed through a network at once where no gradient is taken


def shuffled(rows: Tensor, size: int, order: torch.Generator) -> Iterator[Tensor]:
    """The rows of one epoch in a new random order, in equal steps of about ``size``; of two or more, none is alone.

    >>> [len(part) for part in shuffled(torch.arange(7), 2, torch.Generator())]
    [3, 2, 2]
    """
    drawn = rows[torch.randperm(len(rows), generator=order)]
    steps = min(round(len(rows) / size), len(rows) // min(size, 2))
    return iter(drawn.tensor_split(max(1, steps)))


def chunks(rows: Tensor) -> tuple[Tensor, ...]:
    """The rows as they stand, in pieces that fit into memory."""
    return torch.split(rows, _CHUNK)
