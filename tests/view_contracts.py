"""What every view keeps: shapes, ranges, inputs, and draws of its own for every sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from losslens.models.views import ViewEntry

ROWS = 400
SIZES = {"image": (3, 12, 10), "profile": (40,), "signal": (2, 50), "any": (40,)}


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(entry: ViewEntry, rows: int = ROWS) -> Tensor:
    """Random values in [0, 1] with both ends among them, or counts."""
    values = torch.rand(rows, *SIZES[entry.kind], generator=noise(99))
    if entry.needs_counts:
        return torch.poisson(values * 20.0, generator=noise(98))
    return (values * 1.2 - 0.1).clamp(0.0, 1.0)


def _copies(batch: Tensor) -> Tensor:
    """The first sample many times, and the last as it is, so that the batch has a spread."""
    return torch.cat([batch[:1].expand(batch[1:].shape), batch[-1:]])


def viewed(entry: ViewEntry, batch: Tensor, seed: int = 1, **options: Any) -> Tensor:
    return entry.function(batch, noise(seed), **{"probability": 1.0} | options)


def near(found: Tensor, expected: float, deviation: float) -> None:
    """The mean of independent numbers of that deviation, within five of its standard errors."""
    assert abs(float(found.double().mean()) - expected) < 5.0 * deviation / found.numel() ** 0.5


def shape_type_and_range_are_kept_at_the_ends_of_options(entry: ViewEntry) -> None:
    for kind in (torch.float32, torch.float64):
        batch = some(entry, 50).to(kind)
        for name, option in entry.options.items():
            for end in option.range.ends:
                seen = viewed(entry, batch, **{name: end})
                assert (seen.shape, seen.dtype) == (batch.shape, kind)
                assert seen.isfinite().all()
                assert entry.kind != "image" or 0.0 <= float(seen.min()) <= float(seen.max()) <= 1.0


def its_input_is_left_alone(entry: ViewEntry) -> None:
    batch = some(entry)
    before = batch.clone()
    viewed(entry, batch)
    assert torch.equal(batch, before)


def draws_come_from_its_generator_alone(entry: ViewEntry) -> None:
    batch, state = some(entry), torch.random.get_rng_state()
    one = noise(1)
    first, second = (entry.function(batch, one, probability=0.5) for _ in range(2))
    again = entry.function(batch, noise(1), probability=0.5)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), state)


def every_sample_has_a_draw_of_its_own(entry: ViewEntry) -> None:
    """Copies of one sample become many; where they are changed for one another, others do, at other entries."""
    batch = some(entry) if entry.name == "gene_swap" else _copies(some(entry))
    fixed = list(entry.options) == ["probability"]
    seen = viewed(entry, batch, probability=0.5 if fixed else 1.0)
    told_by = seen != batch if entry.name == "gene_swap" else seen
    assert len(told_by[:-1].flatten(1).unique(dim=0)) >= (2 if fixed else ROWS // 4)


def a_share_of_samples_is_changed_and_the_others_not_at_all(entry: ViewEntry) -> None:
    batch = some(entry, 2000)
    assert torch.equal(viewed(entry, batch, probability=0.0), batch)
    seen, full = viewed(entry, batch, probability=0.3), viewed(entry, batch)
    changed = (seen != batch).flatten(1).any(1)
    assert torch.equal(seen[changed], full[changed])
    able = (full != batch).flatten(1).any(1)
    assert float(able.float().mean()) > 0.5
    near(changed[able].float(), 0.3, 0.5)


def a_batch_of_one_is_viewed(entry: ViewEntry) -> None:
    batch = some(entry, 1)
    views = [viewed(entry, batch, seed, probability=0.5) for seed in range(20)]
    assert all(each.shape == batch.shape and bool(each.isfinite().all()) for each in views)
    assert (entry.name == "gene_swap") == all(torch.equal(each, batch) for each in views)


EVERY = (
    shape_type_and_range_are_kept_at_the_ends_of_options, its_input_is_left_alone,
    draws_come_from_its_generator_alone, every_sample_has_a_draw_of_its_own,
    a_share_of_samples_is_changed_and_the_others_not_at_all, a_batch_of_one_is_viewed,
)  # fmt: skip
