"""Contracts on declared facts that hold beyond one point: smoothness along lines, convexity, dependence of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from tests.contract_mathematics import values
from tests.samples import Sample, differentiable, draw
from torch import Tensor

from losslens.losses import LossEntry

POINTS, WATCHED, HALVINGS = 48, 6, 24
Line = dict[str, Tensor]  # a direction, from the sample's own place, of each tensor
Derivatives = Callable[[Tensor], Tensor]  # places on a line -> (places, 2)


def smoothness_along_lines_is_as_declared(entry: LossEntry, loss: Any) -> None:
    """Jumps of the first two derivatives along lines: between random points, and through those where kinks may lie."""
    sample = draw(entry, rows=6)
    jumps = torch.stack([_jumps(_along(entry, loss, sample, line)) for line in _lines(entry, sample)])
    first, second = jumps.amax(0).tolist()
    found = "C0" if first > 1e-3 else "C1" if second > 1e-3 else "C-infinity"
    assert found == entry.smoothness, f"declared {entry.smoothness}, found {found}: jumps {first:g} and {second:g}"


def _lines(entry: LossEntry, sample: Sample) -> Iterator[Line]:
    start = {name: sample.arguments[name] for name in sample.arguments if name in differentiable(entry)}
    for seed in (1, 2):
        other = draw(entry, rows=6, seed=seed).arguments
        yield {name: other[name] - start[name] for name in start}
    first, *others = start
    if entry.reconstructs:  # through the target
        yield {first: 2.0 * (sample.target - start[first])}
    elif others and start[others[0]].shape == start[first].shape:  # through the place where two tensors are equal
        yield {first: 2.0 * (start[others[0]] - start[first])}
    if not (entry.reconstructs or entry.scale_invariant or entry.link):  # towards zero, and away from it
        yield from ({name: times * start[name] for name in start} for times in (-0.9, 4.0))


def _along(entry: LossEntry, loss: Any, sample: Sample, line: Line) -> Derivatives:
    """The first two derivatives of the sum of all values; of samples that do not see each other many places at once."""
    alone = entry.independent and entry.family.gives != "batch"

    def at(places: Tensor) -> Tensor:
        t = places.clone().requires_grad_()
        groups = [_moved(sample, line, t)] if alone else [_moved(sample, line, place) for place in t.split(1)]
        total = torch.stack([loss(*g.tensors, reduction="none", **g.settings).sum() for g in groups]).sum()
        (first,) = torch.autograd.grad(total, t, create_graph=True)
        return torch.stack([first.detach(), _slope(first, t)], 1)

    return at


def _moved(sample: Sample, line: Line, places: Tensor) -> Sample:
    """The samples at some places of a line, one after the other."""
    nothing = torch.zeros(())
    tensors = {
        name: (tensor + places.view(-1, *[1] * tensor.dim()) * line.get(name, nothing)).flatten(0, 1)
        if tensor.is_floating_point()
        else tensor.repeat(len(places))
        for name, tensor in sample.arguments.items()
    }
    return sample.put(**tensors)


def _slope(first: Tensor, t: Tensor) -> Tensor:
    if not first.requires_grad:
        return torch.zeros_like(first)
    try:
        return torch.autograd.grad(first.sum(), t)[0]
    except RuntimeError as error:
        if "is not implemented" not in str(error):
            raise
        return torch.zeros_like(first)  # PyTorch has only the first: enough where that jumps


def _jumps(derivatives: Derivatives) -> Tensor:
    """What is left of the largest differences between neighbours when they move together, over what is usual."""
    places = torch.linspace(0.0137, 0.9791, POINTS, dtype=torch.float64)
    found = derivatives(places)
    usual = found.abs().median(0).values + 1e-3 * found.abs().amax(0) + 1e-7
    left = [_narrowed(derivatives, places, found, order) for order in (0, 1)]
    return torch.stack(left) / usual


def _narrowed(derivatives: Derivatives, places: Tensor, found: Tensor, order: int) -> Tensor:
    """The largest difference across intervals halved again and again, each time on the side where it is larger."""
    watched = (found[1:, order] - found[:-1, order]).abs().topk(WATCHED).indices
    low, high, below, above = places[watched], places[watched + 1], found[watched, order], found[watched + 1, order]
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        between = derivatives(middle)[:, order]
        left = (between - below).abs() > (above - between).abs()
        low, below = torch.where(left, low, middle), torch.where(left, below, between)
        high, above = torch.where(left, middle, high), torch.where(left, between, above)
    return (above - below).abs().max()


def convexity_is_as_declared(entry: LossEntry, loss: Any) -> None:
    """In all tensors that are not targets, together."""
    sizes = (0.1, 1.0, 10.0) if entry.link not in ("sigmoid", "log_softmax") else (1.0,)
    excess = max(_chord_excess(entry, loss, size, share) for size in sizes for share in (0.2, 0.5, 0.8))
    assert (excess <= 1e-9) == entry.convex, f"convex declared {entry.convex}, but a chord is exceeded by {excess:g}"


def _chord_excess(entry: LossEntry, loss: Any, size: float, share: float) -> float:
    """By how much the loss between two points exceeds the straight line between their losses, at most."""
    rows, times = (200, 1) if entry.independent else (6, 12)
    return max(_excess_over_the_chord(entry, loss, size, share, rows, 2 * time) for time in range(times))


def _excess_over_the_chord(entry: LossEntry, loss: Any, size: float, share: float, rows: int, seed: int) -> float:
    one, other = (draw(entry, rows=rows, seed=seed + side) for side in (1, 2))
    free = [argument.name for argument in entry.family.arguments if not argument.target]
    ends = [{name: size * sample.arguments[name] for name in free} for sample in (one, other)]
    middle = {name: share * ends[0][name] + (1.0 - share) * ends[1][name] for name in free}
    low, high, between = (values(loss, one.put(**tensors)) for tensors in (*ends, middle))
    scale = 1.0 + abs(low).max() + abs(high).max()
    return float((between - share * low - (1.0 - share) * high).max() / scale)


def samples_depend_on_each_other(entry: LossEntry, loss: Any) -> None:
    """Changing a row changes the value of another; of a batch, the whole is not the mean of its parts."""
    sample = draw(entry, rows=8)
    if entry.family.gives == "batch":
        halves = [values(loss, sample.rows(part)) for part in (slice(0, 4), slice(4, 8))]
        apart = abs(float(values(loss, sample)) - float(sum(halves)) / 2.0)
        assert apart > 1e-6, "a batch costs what its halves do"
        return
    other, third = draw(entry, rows=8, seed=1).arguments, torch.arange(8).view(8, 1) == 2
    changed = {name: torch.where(third, other[name], tensor) for name, tensor in sample.arguments.items()}
    apart = abs(values(loss, sample.put(**changed)) - values(loss, sample))
    assert max(apart[:2].max(), apart[3:].max()) > 1e-6, "no row sees another"
