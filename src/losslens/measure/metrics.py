"""The catalogue of yardsticks: facts about each, and one call that computes them all.

A yardstick is a pure function from :class:`~losslens.measure.evidence.Evidence` to a number, or None where
it is not defined (no labels, no code, too few samples). It is never NaN. The members live in
``reconstruction``, ``representation``, ``directions`` and ``generative``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from losslens.measure.evidence import Evidence
from losslens.vocabulary.catalogue import Catalogue

Compute = Callable[[Evidence], float | None]


@dataclass(frozen=True)
class Metric:
    """The facts about one yardstick.

    ``explanation`` is what the report says about it, ``goal`` the goal that it may decide. ``higher_is_better``
    is None where neither end is best.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool | None
    explanation: str
    compute: Compute
    goal: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.compute.__doc__ or "").strip().split("\n")[0]


METRICS: Catalogue[Metric] = Catalogue("yardstick")


def metric(
    *,
    title: str,
    unit: str,
    higher_is_better: bool | None,
    explanation: str,
    goal: str | None = None,
    aliases: tuple[str, ...] = (),
) -> Callable[[Compute], Compute]:
    """Enter a function into the catalogue under its own name."""

    def enter(compute: Compute) -> Compute:
        METRICS.add(Metric(compute.__name__, title, unit, higher_is_better, explanation, compute, goal, aliases))
        return compute

    return enter


def evaluate(evidence: Evidence) -> dict[str, float | None]:
    """Every yardstick of the catalogue, by name; None where it is not defined for this evidence.

    >>> import numpy as np
    >>> scores = evaluate(Evidence(np.eye(3), np.eye(3), np.full(3, 1 / 3)))
    >>> scores["r2"], scores["knn_accuracy"]
    (1.0, None)
    """
    return {name: entry.compute(evidence) for name, entry in METRICS.items()}
