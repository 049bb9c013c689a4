"""Corruptions: what is done to a batch before a denoising autoencoder sees it; what it must give back is the clean one.

Each is a function of a batch, what is known of the training rows, and a generator of random numbers. It gives the
profiles that the network sees and, where every entry either was touched or was not, which were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from losslens.models.objective import Batch
from losslens.models.options import check_options, declared_options
from losslens.models.spec import CorruptionSpec
from losslens.vocabulary.catalogue import Catalogue
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Option, Range

Corrupted = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class Reach:
    """What corruptions know of the training rows: the ends of each feature, and the spread of all, a number."""

    low: Tensor
    high: Tensor
    spread: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> Reach:
        """From training rows (samples, features)."""
        return cls(rows.amin(0), rows.amax(0), rows.var(0, correction=0).mean().sqrt())


@dataclass(frozen=True)
class Corruption:
    """The facts about one corruption.

    - ``marks``: every entry either was touched or was not, so that the two may count differently in the loss.
    - ``needs_counts``: it works on the counts behind the profiles.
    - ``options``: the one that says how much is corrupted comes first; at zero nothing is.
    """

    name: str
    compute: Callable[..., Corrupted]
    options: Mapping[str, Option]
    reference: str
    marks: bool = False
    needs_counts: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def strength(self) -> str:
        """The option that says how much is corrupted."""
        return next(iter(self.options))

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.compute.__doc__ or "").strip().split("\n")[0]


CORRUPTIONS: Catalogue[Corruption] = Catalogue("corruption")


def _corruption(**facts: Any) -> Callable[[Callable[..., Corrupted]], Callable[..., Corrupted]]:
    """Enter a function; its keyword-only arguments, annotated ``Annotated[float, Range(...)]``, are the options."""

    def enter(compute: Callable[..., Corrupted]) -> Callable[..., Corrupted]:
        CORRUPTIONS.add(Corruption(compute.__name__, compute, declared_options(compute), **facts))
        return compute

    return enter


_SHARE = Range(0.0, 0.95)
_VINCENT = "Vincent, Larochelle, Lajoie, Bengio and Manzagol, JMLR 11, 2010"


@_corruption(marks=True, reference=_VINCENT)
def masking(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: Annotated[float, _SHARE] = 0.25) -> Corrupted:
    """Each entry is set to zero with probability ``rate``."""
    touched = _drawn(batch.profiles, rate, noise)
    return torch.where(touched, 0.0, batch.profiles), touched


@_corruption(marks=True, reference=_VINCENT)
def salt_and_pepper(
    batch: Batch, reach: Reach, noise: torch.Generator, *, rate: Annotated[float, _SHARE] = 0.25
) -> Corrupted:
    """Each entry is set, with probability ``rate``, to the least or largest value of its feature, by a fair coin."""
    touched = _drawn(batch.profiles, rate, noise)
    ends = torch.where(_drawn(batch.profiles, 0.5, noise), reach.low, reach.high)
    return torch.where(touched, ends, batch.profiles), touched


@_corruption(reference=_VINCENT)
def gaussian(
    batch: Batch, reach: Reach, noise: torch.Generator, *, sigma: Annotated[float, Range(0.0, 10.0)] = 0.3
) -> Corrupted:
    """Normal noise is added; its deviation is ``sigma`` times that of a typical feature over the training rows."""
    standard = torch.randn(batch.profiles.shape, generator=noise).to(batch.profiles)
    return batch.profiles + sigma * reach.spread * standard, None


@_corruption(
    needs_counts=True,
    reference="none needed: a binomial share of Poisson counts is what a shallower measurement gives",
)
def thinning(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: Annotated[float, _SHARE] = 0.3) -> Corrupted:
    """Each molecule is lost with probability ``rate``; what is left is normalised for depth anew."""
    assert batch.counts is not None
    assert batch.library is not None
    assert batch.scale is not None
    kept = thinned(batch.counts, rate, noise)
    depth = kept.sum(1, keepdim=True).clamp_min(1.0)
    return torch.log1p(kept * (batch.scale * batch.library / depth)), None


@_corruption(
    marks=True,
    aliases=("gene_swap",),
    reference="Yoon, Zhang, Jordon and van der Schaar, VIME, NeurIPS 2020",
)
def swap(batch: Batch, reach: Reach, noise: torch.Generator, *, rate: Annotated[float, _SHARE] = 0.15) -> Corrupted:
    """Each entry is replaced, with probability ``rate``, by the same feature's value in another sample of the batch."""
    rows, features = batch.profiles.shape
    touched = _drawn(batch.profiles, rate, noise)
    step = torch.randint(1, max(rows, 2), (rows, features), generator=noise).to(batch.profiles.device)
    others = (torch.arange(rows, device=step.device).unsqueeze(1) + step) % rows
    return torch.where(touched, batch.profiles.gather(0, others), batch.profiles), touched


def thinned(counts: Tensor, rate: float, noise: torch.Generator) -> Tensor:
    """Counts of any shape of which each molecule was lost with probability ``rate``."""
    kept = torch.binomial(counts.cpu(), torch.full(counts.shape, 1.0 - rate, dtype=counts.dtype), generator=noise)
    return kept.to(counts)


def _drawn(like: Tensor, rate: float, noise: torch.Generator) -> Tensor:
    return (torch.rand(like.shape, generator=noise) < rate).to(like.device)


def checked(spec: CorruptionSpec) -> CorruptionSpec:
    """A corruption under its true name with all its options, or the reason why it cannot be had.

    Raises:
        UnknownName: no such corruption.
        BadInput: an option it does not have or a value out of range, an emphasis where entries are not marked.
    """
    entry = CORRUPTIONS[spec.name]
    check_options(entry.name, entry.options, spec.options)
    if spec.emphasises and not entry.marks:
        marking = ", ".join(name for name, each in CORRUPTIONS.items() if each.marks)
        raise BadInput(
            expected=f"a corruption that leaves entries intact ({marking}), for an emphasis",
            found=f"{entry.name}, which touches all of them",
        )
    options = {name: option.default for name, option in entry.options.items()} | spec.options
    return spec.model_copy(update={"name": entry.name, "options": options})


def corrupt(batch: Batch, spec: CorruptionSpec, reach: Reach, noise: torch.Generator) -> Batch:
    """The batch with what the network is to see, and how much each entry's loss counts."""
    seen, touched = CORRUPTIONS[spec.name].compute(batch, reach, noise, **spec.options)
    if not spec.emphasises or touched is None:
        return batch._replace(corrupted=seen)
    weight = torch.where(touched, spec.corrupted, spec.intact).to(seen)
    return batch._replace(corrupted=seen, weight=weight)
