"""Data sets that come with losslens; NOTICE says where each is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from losslens.data.arrays import read_array, read_npz
from losslens.data.columns import Request, as_labels
from losslens.data.profiles import Profiles
from losslens.vocabulary.catalogue import Catalogue


@dataclass(frozen=True)
class BundledSet:
    """A data set that can be asked for by name."""

    name: str
    summary: str
    load: Callable[[Request], Profiles]
    aliases: tuple[str, ...] = ()


def _pancreas(request: Request) -> Profiles:
    profiles = read_npz(Path(__file__).with_name("pancreas.npz"), replace(request, name=request.name or "pancreas"))
    origin = "UMI counts of human pancreas cells (Baron et al. 2016, GSE84133 human1), 1,000 most variable genes."
    return replace(profiles, source="bundled: pancreas", remarks=(origin, *profiles.remarks))


def _digits(request: Request) -> Profiles:
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    wish = replace(request, name=request.name or "digits")
    profiles = read_array((images / 16).astype(np.float32), wish, source="bundled: digits")
    origin = "Handwritten digits of scikit-learn: pixel intensities 0..16 divided by 16."
    profiles = replace(profiles, declared="[0, 1]", remarks=(origin, *profiles.remarks))
    return profiles if request.transpose else _named_digits(profiles, digits, labelled=request.label is not None)


def _named_digits(profiles: Profiles, digits: Any, *, labelled: bool) -> Profiles:
    """With the position of every pixel, and the digit as the label unless the caller said otherwise."""
    placed = replace(profiles, features=tuple(f"pixel {i // 8},{i % 8}" for i in range(64)))
    if labelled:
        return placed
    labels, said = as_labels(digits, "the digit shown")
    return replace(placed, labels=labels, remarks=(*placed.remarks, *said))


BUNDLED: Catalogue[BundledSet] = Catalogue("bundled data set")
BUNDLED.add(
    BundledSet("pancreas", "Raw counts of 1,937 cells and 1,000 genes, 14 cell types (single cell).", _pancreas)
)
BUNDLED.add(BundledSet("digits", "Handwritten digits: 1,797 images of 8 x 8 pixels in [0, 1], 10 classes.", _digits))
