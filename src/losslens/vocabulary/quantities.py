"""Domains, intervals and parameter ranges: what a number may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum


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

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g}]"


class Domain(Enum):
    """The set that every value of a target must lie in."""

    REAL = "real numbers"
    NON_NEGATIVE = "non-negative numbers"
    UNIT = "numbers in [0, 1]"
    BINARY = "zeros and ones"
    COUNTS = "counts (non-negative integers)"

    @property
    def interval(self) -> Interval:
        """The smallest interval around the domain."""
        if self is Domain.REAL:
            return Interval()
        return Interval(0.0, 1.0) if self in (Domain.UNIT, Domain.BINARY) else Interval(0.0)

    def accepts(self, other: Domain) -> bool:
        """Whether data of domain ``other`` always lie in this domain.

        >>> Domain.UNIT.accepts(Domain.BINARY), Domain.COUNTS.accepts(Domain.REAL)
        (True, False)
        """
        return other in _SUBSETS[self]


_SUBSETS: dict[Domain, frozenset[Domain]] = {
    Domain.REAL: frozenset(Domain),
    Domain.NON_NEGATIVE: frozenset(Domain) - {Domain.REAL},
    Domain.UNIT: frozenset({Domain.UNIT, Domain.BINARY}),
    Domain.BINARY: frozenset({Domain.BINARY}),
    Domain.COUNTS: frozenset({Domain.COUNTS, Domain.BINARY}),
}
