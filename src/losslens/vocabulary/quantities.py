"""Domains, intervals and parameter ranges: what a number may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any


@dataclass(frozen=True)
class Interval:
    """A closed interval of real numbers; infinite ends are open.

    >>> Interval(0.0, 1.0).contains(Interval(0.2, 0.7))
    True
    >>> str(Interval(0.0))
    '[0, inf)'
    """

    low: float = -math.inf
    high: float = math.inf

    def contains(self, other: Interval) -> bool:
        """Whether every number of ``other`` lies in this interval."""
        return self.low <= other.low and other.high <= self.high

    def __str__(self) -> str:
        left = "(-inf" if math.isinf(self.low) else f"[{self.low:g}"
        right = "inf)" if math.isinf(self.high) else f"{self.high:g}]"
        return f"{left}, {right}"


@dataclass(frozen=True)
class Range:
    """The values an option of a loss may take, for validation, tests and help."""

    low: float
    high: float
    log: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends, which the option is tested at."""
        return self.low, self.high

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g}]"


@dataclass(frozen=True)
class Choice:
    """The few values an option may take that is not a number on a scale."""

    values: tuple[object, ...]

    @property
    def ends(self) -> tuple[object, ...]:
        """All of them: each is tested."""
        return self.values

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return " or ".join(repr(value) for value in self.values)


@dataclass(frozen=True)
class Option:
    """A number or a choice that shapes a loss or an activation, fixed during training.

    >>> option = Option(1.0, Range(0.01, 100.0))
    >>> option.default in option.range, 1000.0 in option.range
    (True, False)
    """

    default: Any
    range: Range | Choice


class Domain(Enum):
    """The set that every value of a target must lie in."""

    REAL = "real numbers"
    NON_NEGATIVE = "non-negative numbers"
    POSITIVE = "positive numbers"
    UNIT = "numbers in [0, 1]"
    OPEN_UNIT = "numbers strictly between 0 and 1"
    BINARY = "zeros and ones"
    COUNTS = "counts (non-negative integers)"
    SIGNS = "signs, +1 and -1"
    LABELS = "class indices (integers from 0)"
    LOG_PROBABILITIES = "logarithms of probabilities (numbers up to 0)"

    @property
    def interval(self) -> Interval:
        """The smallest closed interval around the domain."""
        if self is Domain.REAL:
            return Interval()
        if self is Domain.SIGNS:
            return Interval(-1.0, 1.0)
        if self is Domain.LOG_PROBABILITIES:
            return Interval(high=0.0)
        return Interval(0.0, 1.0) if self in _WITHIN_ONE else Interval(0.0)

    @property
    def open(self) -> bool:
        """Whether the finite ends of the interval are outside the domain."""
        return self in (Domain.POSITIVE, Domain.OPEN_UNIT)

    @property
    def member(self) -> float:
        """Any number of the domain."""
        return 0.5 if self is Domain.OPEN_UNIT else 1.0 if self in (Domain.POSITIVE, Domain.SIGNS) else 0.0

    @property
    def whole(self) -> bool:
        """Whether all its numbers are integers."""
        return self in (Domain.BINARY, Domain.COUNTS, Domain.SIGNS, Domain.LABELS)

    def accepts(self, other: Domain) -> bool:
        """Whether data of domain ``other`` always lie in this domain.

        >>> Domain.UNIT.accepts(Domain.BINARY), Domain.COUNTS.accepts(Domain.REAL)
        (True, False)
        """
        return other in _SUBSETS[self]


_WITHIN_ONE = (Domain.UNIT, Domain.OPEN_UNIT, Domain.BINARY)
_SUBSETS: dict[Domain, frozenset[Domain]] = {
    Domain.REAL: frozenset(Domain),
    Domain.NON_NEGATIVE: frozenset(Domain) - {Domain.REAL, Domain.SIGNS, Domain.LOG_PROBABILITIES},
    Domain.POSITIVE: frozenset({Domain.POSITIVE, Domain.OPEN_UNIT}),
    Domain.UNIT: frozenset(_WITHIN_ONE),
    Domain.OPEN_UNIT: frozenset({Domain.OPEN_UNIT}),
    Domain.BINARY: frozenset({Domain.BINARY}),
    Domain.COUNTS: frozenset({Domain.COUNTS, Domain.BINARY, Domain.LABELS}),
    Domain.SIGNS: frozenset({Domain.SIGNS}),
    Domain.LABELS: frozenset({Domain.LABELS, Domain.COUNTS, Domain.BINARY}),
    Domain.LOG_PROBABILITIES: frozenset({Domain.LOG_PROBABILITIES}),
}
