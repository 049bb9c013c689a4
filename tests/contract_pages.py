"""Contracts on what the pages of the catalogue say of a loss and draw of it."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any

from losslens.faces.pages.curves import Curves, Line, of_loss
from losslens.losses import LossEntry


def words_are_complete(entry: LossEntry, loss: Any) -> None:
    """One sentence each, that fits a line: what it is, when to use it, how it goes wrong."""
    for sentence in (entry.summary, entry.use, entry.failure):
        assert re.fullmatch(r"[A-Z][^\n]{20,115}\.", sentence), f"no sentence: {sentence!r}"
    assert len({entry.summary, entry.use, entry.failure}) == 3, "the same is said twice"


def curves_vary_and_have_their_slopes(entry: LossEntry, loss: Any) -> None:
    found = of_loss(entry)
    assert found, "nothing is drawn"
    for curves in found:
        assert len({line.name for line in curves.lines}) == len(curves.lines), "two lines of one name"
        for line in curves.lines:
            assert all(map(math.isfinite, line.values + line.slopes)), f"not finite: {curves.x} {line.name}"
            slopes_are_those_of_the_values(curves, line)
    flat = [line.name for line in found[0].lines if max(line.values) - min(line.values) < 1e-3]
    assert not flat, f"constant along {found[0].x}: {flat}"


def slopes_are_those_of_the_values(curves: Curves, line: Line) -> None:
    """What a value gains from one place to the next is between both slopes, or near them where these change fast."""
    step = (curves.high - curves.low) / (len(line.values) - 1)
    rounding = 1e-5 * max(map(abs, line.values)) / step + 1e-5 * max(map(abs, line.slopes))
    gains = [(after - before) / step for before, after in pairwise(line.values)]
    bends = [abs(after - before) for before, after in pairwise(line.slopes)]
    for place, (gain, ends) in enumerate(zip(gains, pairwise(line.slopes), strict=True)):
        allowed = rounding + 2.5 * max(bends[max(place - 1, 0) : place + 2])
        right = min(ends) - allowed <= gain <= max(ends) + allowed
        at = curves.low + place * step
        assert right, f"{curves.x} {line.name}: the value rises by {gain:g} at {at:g}, the slope there is {ends}"
