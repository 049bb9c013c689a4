"""Views one after the other: checked, from a line of text, or those that are usual for a kind of data."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from losslens.models.options import check_options
from losslens.models.spec import ViewSpec
from losslens.models.views.entry import SHAPES, VIEWS, Kind
from losslens.vocabulary.errors import BadInput

COLOURS = 3


class Views:
    """A chain of views; each call draws anew.

    ``scale`` (batch, 1) is what counts were multiplied by before the logarithm, where profiles are log1p of counts.

    >>> from losslens.models.spec import ViewSpec
    >>> views = Views([ViewSpec(name="gene_masking", options={"rate": 0.5})])
    >>> views(torch.ones(1, 8), torch.Generator().manual_seed(0))
    tensor([[1., 0., 0., 0., 1., 0., 1., 0.]])

    Raises:
        BadInput: no such view or option, a value out of range, thinning after another view, a batch of another kind.
    """

    def __init__(self, specs: Sequence[ViewSpec]) -> None:
        self.specs = tuple(map(_checked, specs))
        self.entries = tuple(VIEWS[spec.name] for spec in self.specs)
        if any(entry.needs_counts for entry in self.entries[1:]):
            raise BadInput(
                expected="thinning as the first view and once, as it works on whole counts",
                found=", ".join(entry.name for entry in self.entries),
            )

    def __call__(self, batch: Tensor, generator: torch.Generator, scale: Tensor | None = None) -> Tensor:
        """One view of each sample, in the shape of the batch."""
        self._check(batch)
        for entry, spec in zip(self.entries, self.specs, strict=True):
            counted = {"scale": scale} if entry.needs_counts else {}
            batch = entry.function(batch, generator, **spec.options, **counted)
        return batch

    def _check(self, batch: Tensor) -> None:
        kinds = {entry.kind: entry.name for entry in self.entries if entry.kind != "any"}
        for kind, name in kinds.items():
            if batch.ndim != SHAPES[kind].count(",") + 1:
                fitting = [each for each, entry in VIEWS.items() if _fits(entry.kind, batch)]
                raise BadInput(
                    expected=f"{kind}s {SHAPES[kind]} for the view {name}",
                    found=f"shape {tuple(batch.shape)}",
                    remedy=f"Views that fit: {', '.join(fitting)}.",
                )
        if "image" in kinds and not 0.0 <= float(batch.min()) <= float(batch.max()) <= 1.0:
            raise BadInput(
                expected="images with values in [0, 1]",
                found=f"values from {float(batch.min()):g} to {float(batch.max()):g}",
            )


def _fits(kind: str, batch: Tensor) -> bool:
    return kind == "any" or any(kind == each and batch.ndim == s.count(",") + 1 for each, s in SHAPES.items())


def _checked(spec: ViewSpec) -> ViewSpec:
    entry = VIEWS[spec.name]
    check_options(entry.name, entry.options, spec.options)
    return spec.model_copy(update={"name": entry.name})


def views_named(text: str) -> tuple[ViewSpec, ...]:
    """Views from ``NAME,NAME:STRENGTH,NAME:OPTION=VALUE:OPTION=VALUE``.

    >>> [(spec.name, spec.options) for spec in views_named("crop:0.5,flip,masking:rate=0.3:probability=0.8")]
    [('crop', {'least': 0.5}), ('flip', {}), ('gene_masking', {'rate': 0.3, 'probability': 0.8})]

    Raises:
        BadInput: no such view or option, or a value that is no number of its range.
    """
    return Views([_named(part.strip()) for part in text.split(",") if part.strip()]).specs


def _named(text: str) -> ViewSpec:
    name, *given = text.split(":")
    entry = VIEWS[name]
    return ViewSpec(name=entry.name, options=dict(_option(each, entry.strength) for each in given))


def _option(text: str, usual: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    try:
        return (name.strip() if equals else usual), float(value)
    except ValueError:
        raise BadInput(
            expected="a number or OPTION=NUMBER after the name of a view, as in crop:0.5 or crop:least=0.5",
            found=repr(text),
        ) from None


def default_views(kind: Kind, *, channels: int = 1, counts: bool = False) -> tuple[ViewSpec, ...]:
    """The usual views of images, profiles or signals.

    Images of three channels get those of SimCLR for small images, with crops from a fifth of the area on. All others
    are often digits, letters or cells: crops keep most of them, and they are not mirrored, as a mirrored digit is
    another one or none. ``counts``: the profiles have counts behind them, to thin.

    >>> [spec.name for spec in default_views("image")]
    ['crop', 'colour_jitter']
    >>> [spec.name for spec in default_views("profile", counts=True)]
    ['thinning', 'gene_masking', 'gaussian_noise']
    """
    if kind == "image":
        return views_named("crop,flip,colour_jitter,grayscale" if channels == COLOURS else "crop:0.6,colour_jitter")
    if kind == "signal":
        return views_named("time_crop,scaling,time_mask,gaussian_noise:0.1")
    return views_named("thinning," * counts + "gene_masking,gaussian_noise")
