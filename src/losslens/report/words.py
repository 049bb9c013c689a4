"""Numbers and names as sentences hold them."""

from __future__ import annotations

from collections.abc import Sequence

from losslens.report.statistics import Interval


def listed(names: Sequence[str], most: int = 4) -> str:
    """The first few of several names, and how many more there are; semicolons part names that have commas.

    >>> listed(["mse", "mae", "huber"], most=2), listed(["SimCLR, cut 3", "mse"])
    ('mse, mae and 1 more', 'SimCLR, cut 3; mse')
    """
    shown = list(names[:most])
    return ("; " if any("," in name for name in shown) else ", ").join(shown) + (
        f" and {len(names) - most} more" if len(names) > most else ""
    )


def bounds(interval: Interval) -> str:
    """The ends of an interval."""
    return f"{number(interval.low)} to {number(interval.high)}"


def number(value: float) -> str:
    """A number with about three digits.

    >>> number(0.5), number(0.0123), number(1234.5)
    ('0.500', '0.012', '1,234.5')
    """
    return f"{value:.3f}" if 0.0995 <= abs(value) < 100 else f"{value:.2g}" if abs(value) < 0.0995 else f"{value:,.1f}"


def named(text: str) -> str:
    """A title inside a sentence: its first letter small, unless it is a symbol.

    >>> named("Delta-cosine"), named("R²"), named("MSE")
    ('delta-cosine', 'R²', 'MSE')
    """
    return text[0].lower() + text[1:] if text[1:2].islower() else text


def after_value(unit: str) -> str:
    """A unit to stand after a value: nothing for a number without dimension."""
    return "" if unit.startswith("1") else f" {unit}"
