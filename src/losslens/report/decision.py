"""Who is best, who cannot be told apart from the best, and which of those to recommend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from losslens.report.statistics import Interval, corrected_interval, holm

LEVEL = 0.05
K = TypeVar("K")
Scores = Mapping[str, Mapping[int, float]]  # candidate -> repeat -> score


@dataclass(frozen=True)
class Judged:
    """A candidate against the best: the paired difference (positive: worse than the best) and the verdict."""

    verdict: Literal["best", "tied", "worse"]
    difference: Interval
    p_holm: float


@dataclass(frozen=True)
class Decision:
    """Verdicts over all candidates with scores; ``recommended`` is the simplest of those tied with the best."""

    best: str
    recommended: str
    judged: dict[str, Judged]

    @property
    def tied(self) -> list[str]:
        """The best and all that cannot be told apart from it."""
        return [name for name, judged in self.judged.items() if judged.verdict != "worse"]

    @property
    def sole_winner(self) -> bool:
        """Whether the best could be told apart from every other candidate."""
        return len(self.tied) == 1 and len(self.judged) > 1


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> list[float]:
    """First minus second on the repeats that both have."""
    return [first[repeat] - second[repeat] for repeat in sorted(first.keys() & second.keys())]


def difference(better: Mapping[int, float], other: Mapping[int, float], test_share: float, sign: float) -> Interval:
    """How much worse ``other`` is; ``sign`` is 1 where higher scores are better, else -1."""
    return corrected_interval([sign * d for d in paired(better, other)], test_share)


def decide(
    scores: Scores, *, higher_is_better: bool, test_share: float, simplest_first: Sequence[str]
) -> Decision | None:
    """Judge every candidate against the best one, paired by split, with Holm's correction.

    ``simplest_first`` orders the candidates for the recommendation among the tied. None without a repeat that
    every candidate with any score has finished.

    >>> scores = {"mse": {0: 0.51, 1: 0.58, 2: 0.40}, "cosine": {0: 0.61, 1: 0.69, 2: 0.50}}
    >>> found = decide(scores, higher_is_better=True, test_share=0.25, simplest_first=["mse", "cosine"])
    >>> found.recommended, found.judged["mse"].verdict
    ('cosine', 'worse')
    """
    sign = 1.0 if higher_is_better else -1.0
    shared = shared_repeats(scores)
    if not shared:
        return None
    means = {name: sign * float(np.mean([own[r] for r in shared])) for name, own in scores.items() if own}
    best = max(means, key=lambda name: (means[name], -simplest_first.index(name)))
    against = {name: difference(scores[best], scores[name], test_share, sign) for name in means if name != best}
    corrected = holm({name: interval.p for name, interval in against.items()})
    judged = {best: Judged("best", Interval(0.0, 0.0, 0.0, 1.0, len(shared)), 1.0)}
    for name, interval in against.items():
        worse = corrected[name] < LEVEL and interval.mean > 0
        judged[name] = Judged("worse" if worse else "tied", interval, corrected[name])
    tied = [name for name in simplest_first if name in judged and judged[name].verdict != "worse"]
    return Decision(best, tied[0], judged)


def shared_repeats(scores: Mapping[K, Mapping[int, float]]) -> list[int]:
    """The repeats that every candidate with any score has; means are taken over these only."""
    finished = [set(own) for own in scores.values() if own]
    return sorted(set.intersection(*finished)) if finished else []
