"""What was read of a network while it trained: plain arrays and numbers, by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Shares = Mapping[str, Array]  # layer -> (units,)


@dataclass(frozen=True)
class Reading:
    """One look at a network, on the same few samples each time; what was not read is None or empty.

    Shapes: ``embedding`` and ``partner`` (samples, dimensions), compared by direction; ``code`` (samples, code) and, of
    variational models, the posterior's ``mean`` (samples, code); ``output`` and ``target`` (samples, features) in the
    same units. ``silent`` and ``saturated`` hold, for each layer, the share of samples at which each unit gives zero
    or is at an end of its range; ``gradients`` the root mean square of each layer's gradient, in the order of layers.
    """

    epoch: int
    embedding: Array | None = None
    partner: Array | None = None
    code: Array | None = None
    mean: Array | None = None
    output: Array | None = None
    target: Array | None = None
    silent: Shares = field(default_factory=dict)
    saturated: Shares = field(default_factory=dict)
    gradients: Mapping[str, float] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        """Whether all of these were read."""
        return all(getattr(self, name) is not None and len(getattr(self, name)) > 0 for name in names)


@dataclass(frozen=True)
class Readings:
    """All readings of one training with what else is known of its course.

    ``train`` and ``valid`` are losses by epoch from the first on, ``start`` is the loss before the first step.
    ``adaptive`` says that the optimiser divides gradients by their own size, as Adam does. ``margin`` is the
    loss of a network that gives one point for everything, where the loss has such a value. ``warm_up`` counts the
    epochs in which the objective itself still changes. ``finished`` is False while more epochs are to come.

    >>> from losslens.measure.diagnostics import Reading, Readings
    >>> seen = Readings((Reading(0), Reading(1), Reading(3)), train=(3.0, 2.0, 1.0))
    >>> seen.epoch, seen.until(1).epoch, seen.until(1).train
    (3, 1, (3.0,))
    """

    looks: tuple[Reading, ...] = ()
    start: float | None = None
    train: tuple[float, ...] = ()
    valid: tuple[float, ...] = ()
    lr: float | None = None
    adaptive: bool = False
    margin: float | None = None
    warm_up: int = 0
    diverged: bool = False
    finished: bool = True

    @property
    def epoch(self) -> int:
        """The last epoch of which anything is known."""
        return max(len(self.train), len(self.valid), self.looks[-1].epoch if self.looks else 0)

    def curve(self, part: Literal["train", "valid"]) -> Array:
        """The losses of a part by epoch, from before the first step if that is known.

        Training losses of a warm-up are left out: validation counts every term in full, training does not yet.
        """
        own = self.valid if part == "valid" else self.train[self.warm_up :]
        return np.array(own if self.start is None else (self.start, *own))

    def latest(self, *names: str) -> Reading | None:
        """The last reading that has all of these."""
        return next((look for look in reversed(self.looks) if look.has(*names)), None)

    def first(self, *names: str) -> Reading | None:
        """The first reading that has all of these."""
        return next((look for look in self.looks if look.has(*names)), None)

    def until(self, epoch: int) -> Readings:
        """What was known after an epoch."""
        if epoch >= self.epoch:
            return self
        looks = tuple(look for look in self.looks if look.epoch <= epoch)
        train, valid = self.train[:epoch], self.valid[:epoch]
        return replace(self, looks=looks, train=train, valid=valid, diverged=False, finished=False)


def is_read(epoch: int) -> bool:
    """Whether an epoch is one of those at which a reading is taken: often at first, then ever more rarely.

    >>> from losslens.measure.diagnostics import is_read
    >>> [epoch for epoch in range(70) if is_read(epoch)]
    [0, 1, 2, 3, 5, 8, 12, 18, 27, 41, 62]
    """
    at = 2
    while at < epoch:
        at = math.ceil(1.5 * at)
    return epoch in (0, 1, at)
