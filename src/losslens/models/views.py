"""Views (stand-in until the branch with all of them is merged)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from losslens.models.spec import ViewSpec
from losslens.vocabulary.catalogue import Catalogue


@dataclass(frozen=True)
class ViewEntry:
    """One view."""

    name: str
    function: Callable[..., Tensor]
    kind: str
    summary: str = ""
    aliases: tuple[str, ...] = ()


VIEWS: Catalogue[ViewEntry] = Catalogue("view")


def gene_masking(batch: Tensor, generator: torch.Generator, *, rate: float = 0.2) -> Tensor:
    """Each entry is set to zero with probability ``rate``."""
    return torch.where(torch.rand(batch.shape, generator=generator) < rate, 0.0, batch)


def gaussian_noise(batch: Tensor, generator: torch.Generator, *, sigma: float = 0.2) -> Tensor:
    """Normal noise."""
    return batch + sigma * torch.randn(batch.shape, generator=generator)


def crop(batch: Tensor, generator: torch.Generator, *, least: float = 0.5) -> Tensor:
    """A random part of the image of at least this share of its sides, resized."""
    side = least + (1 - least) * torch.rand(len(batch), generator=generator)
    shift = (torch.rand(len(batch), 2, generator=generator) * 2 - 1) * (1 - side)[:, None]
    theta = torch.zeros(len(batch), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, :, 2] = shift
    grid = torch.nn.functional.affine_grid(theta, list(batch.shape), align_corners=False)
    return torch.nn.functional.grid_sample(batch, grid, align_corners=False)


for _f, _k in ((gene_masking, "profile"), (gaussian_noise, "profile"), (crop, "image")):
    VIEWS.add(ViewEntry(_f.__name__, _f, _k))


class Views:
    """A chain of views."""

    def __init__(self, specs: Sequence[ViewSpec]) -> None:
        self.specs = tuple(specs)

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """One view."""
        for spec in self.specs:
            batch = VIEWS[spec.name].function(batch, generator, **spec.options)
        return batch


def default_views(kind: Literal["image", "profile", "signal"]) -> tuple[ViewSpec, ...]:
    """Usual ones."""
    if kind == "image":
        return (ViewSpec(name="crop"), ViewSpec(name="gaussian_noise", options={"sigma": 0.1}))
    return (ViewSpec(name="gene_masking"), ViewSpec(name="gaussian_noise"))
