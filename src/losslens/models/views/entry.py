"""The catalogue of views, and how a function of a batch enters it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal

import torch
from torch import Tensor

from losslens.models.options import declared_options
from losslens.vocabulary.catalogue import Catalogue
from losslens.vocabulary.quantities import Option, Range

Kind = Literal["image", "profile", "signal"]
SHAPES: dict[Kind, str] = {
    "image": "(batch, channels, height, width)",
    "profile": "(batch, features)",
    "signal": "(batch, channels, length)",
}


@dataclass(frozen=True, kw_only=True)
class ViewEntry:
    """The facts about one view.

    - ``function``: of a batch, a generator on the CPU and options; gives a tensor of the same shape. Each sample has
      draws of its own and is changed with ``probability``, the last option; the first one says how strongly.
    - ``kind``: what it is a view of; "any" changes entries alike wherever they stand.
    - ``needs_counts``: it works on the counts behind profiles, to which the option ``scale`` leads.
    - ``use`` and ``failure``: when to take it and how it goes wrong.

    >>> entry = VIEWS["flip"]
    >>> image = torch.tensor([[[[0.1, 0.2, 0.3]]]])
    >>> entry.function(image, torch.Generator().manual_seed(0), probability=1.0)
    tensor([[[[0.3000, 0.2000, 0.1000]]]])
    """

    name: str
    function: Callable[..., Tensor]
    kind: Kind | Literal["any"]
    options: Mapping[str, Option]
    summary: str
    use: str
    failure: str
    reference: str
    needs_counts: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def strength(self) -> str:
        """The option that a number alone stands for."""
        return next(iter(self.options))


VIEWS: Catalogue[ViewEntry] = Catalogue("view")


def view(*, probability: float = 1.0, **facts: Any) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Enter a function; its keyword-only arguments, annotated ``Annotated[float, Range(...)]``, are the options."""

    def enter(change: Callable[..., Tensor]) -> Callable[..., Tensor]:
        options = declared_options(change) | {"probability": Option(probability, Range(0.0, 1.0))}
        summary = (change.__doc__ or "").split("\n")[0]
        function = _for_some(change, probability)
        VIEWS.add(ViewEntry(name=change.__name__, function=function, options=options, summary=summary, **facts))
        return change

    return enter


def _for_some(change: Callable[..., Tensor], usual: float) -> Callable[..., Tensor]:
    """The change for a share of the samples, each by its own coin, the others as they are."""

    @wraps(change)
    def function(batch: Tensor, generator: torch.Generator, *, probability: float = usual, **options: Any) -> Tensor:
        chosen = uniform(batch, generator) < probability
        return torch.where(chosen, change(batch, generator, **options), batch)

    return function


def uniform(batch: Tensor, generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    """A number for each sample, shaped (batch, 1, ...) as the batch is; drawn on the CPU, alike on every device."""
    shape = (len(batch), *[1] * (batch.ndim - 1))
    return (low + (high - low) * torch.rand(shape, generator=generator)).to(batch)


def normal(batch: Tensor, generator: torch.Generator) -> Tensor:
    """A standard normal number for each sample, shaped (batch, 1, ...)."""
    return torch.randn((len(batch), *[1] * (batch.ndim - 1)), generator=generator).to(batch)
