"""Readings of the trainings of a run: taken on a schedule, judged as they come, kept in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from losslens.measure.diagnostics import Reading, Readings, is_read, judged
from losslens.measure.diagnostics.readings import Array
from losslens.measure.findings import Finding
from losslens.run.listening import LISTENER
from losslens.run.spec import TrialSpec
from losslens.run.watch import Live

_WHOLE = ("embedding", "partner", "code", "mean", "output", "target")
_BY_LAYER = ("silent", "saturated")


class Reader(Protocol):
    """What knows how to look at a training of some kind."""

    @property
    def epoch(self) -> int:
        """The epochs that are done."""

    @property
    def diverged(self) -> str:
        """What became not finite; empty if nothing did."""

    def read(self) -> Reading:
        """One look at the network as it is."""

    def known(self) -> Readings:
        """What is known beside the looks: curves, learning rate, optimiser."""


class Watching:
    """Looks at one training of a trial after some of its epochs; takes no part in it."""

    def __init__(self, spec: TrialSpec, reader: Reader) -> None:
        self.spec, self.reader = spec, reader
        self.looks: list[Reading] = []
        self.live = Live(None)
        self.read()

    def look(self) -> None:
        """Take a reading if the epoch is one of the schedule."""
        if is_read(self.reader.epoch) and not self.reader.diverged:
            self.read()

    def close(self) -> None:
        """Read the last epoch, if the schedule left it out: before other weights are put back."""
        if self.looks[-1].epoch < self.reader.epoch and not self.reader.diverged:
            self.read()

    def speak(self) -> None:
        """From now on tell what arises: this is the training whose network is kept."""
        tell = LISTENER.get()
        self.live = Live(tell and partial(tell, self.spec))
        self.live.hear(self.readings(finished=False))

    def read(self) -> None:
        """Take a reading."""
        self.looks.append(self.reader.read())
        self.live.hear(self.readings(finished=False))

    def readings(self, *, finished: bool = True) -> Readings:
        """Everything that was read so far."""
        return replace(self.reader.known(), looks=tuple(self.looks), finished=finished)

    def findings(self) -> tuple[Finding, ...]:
        """What the training shows; fine ones are included."""
        return judged(self.readings(), self.spec)


def packed(looks: Sequence[Reading]) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    """Readings as values that JSON can hold, in which layers keep their order, and arrays by name."""
    about: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    for place, look in enumerate(looks):
        own = {name: getattr(look, name) for name in _WHOLE if look.has(name)}
        own |= {f"{name}/{layer}": units for name in _BY_LAYER for layer, units in getattr(look, name).items()}
        about.append({"epoch": look.epoch, "gradients": dict(look.gradients), "arrays": list(own)})
        arrays |= {f"{place}/{name}": value for name, value in own.items()}
    return about, arrays


def unpacked(about: Sequence[Mapping[str, Any]], arrays: Mapping[str, Array]) -> list[Reading]:
    """The readings again, as :func:`packed` was given them."""
    return [_unpacked(each, f"{place}/", arrays) for place, each in enumerate(about)]


def _unpacked(about: Mapping[str, Any], start: str, arrays: Mapping[str, Array]) -> Reading:
    found: dict[str, Any] = {name: {} for name in _BY_LAYER}
    for name in about["arrays"]:
        part, _, layer = name.partition("/")
        if layer:
            found[part][layer] = arrays[start + name]
        else:
            found[part] = arrays[start + name]
    return Reading(about["epoch"], **found, gradients=about["gradients"])
