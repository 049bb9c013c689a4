"""Who hears of findings while trainings of this process go on. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from losslens.measure.findings import Finding
from losslens.run.spec import TrialSpec

Tell = Callable[[TrialSpec, Finding], None]
LISTENER: ContextVar[Tell | None] = ContextVar("listener", default=None)


@contextmanager
def listening(tell: Tell | None) -> Iterator[None]:
    """Within the block trainings of this process tell what arises."""
    before = LISTENER.set(tell)
    try:
        yield
    finally:
        LISTENER.reset(before)
