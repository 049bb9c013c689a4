"""What models of counts expect beside what was seen: posterior predictive checks of zeros and variances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from losslens.report.document import PredictiveCheck, Row
from losslens.report.words import number

POINTS = 250  # most features and most profiles that a check holds
ZEROS_FINE, ZEROS_OFF = 0.02, 0.05  # gap between shares of zeros, on average over features
VARIANCE_FINE, VARIANCE_OFF = 0.1, 0.3  # decades: a quarter more or less, and twice or half


def checks(table: Sequence[Row], saved: Mapping[str, Mapping[str, Any]]) -> list[PredictiveCheck]:
    """A check for every row whose trials saved what they expect."""
    return [_check(row, saved[row.key]) for row in table if "spread.zeros_seen" in saved.get(row.key, {})]


def _check(row: Row, arrays: Mapping[str, Any]) -> PredictiveCheck:
    spread = {name.removeprefix("spread."): values for name, values in arrays.items() if name.startswith("spread.")}
    features, profiles = _evenly(spread["mean_seen"]), _evenly(spread["row_zeros_seen"])
    shown = {name: _short(values[profiles if name.startswith("row_") else features]) for name, values in spread.items()}
    return PredictiveCheck(
        row=row.key,
        features=len(spread["mean_seen"]),
        profiles=len(spread["row_zeros_seen"]),
        verdict=_verdict(row, spread),
        **shown,
    )


def _evenly(values: Any) -> Any:
    """Places of at most :data:`POINTS` values, evenly spaced in their order from the smallest to the largest."""
    order = np.argsort(values, kind="stable")
    return order[np.unique(np.linspace(0, len(order) - 1, min(POINTS, len(order))).round().astype(int))]


def _verdict(row: Row, spread: Mapping[str, Any]) -> str:
    zeros, variance = row.mean("zeros_gap"), row.mean("variance_gap")
    parts = [_zeros(zeros, spread) if zeros is not None else "", _variances(variance, spread) if variance else ""]
    return "; ".join(part for part in parts if part) + "."


def _zeros(gap: float, spread: Mapping[str, Any]) -> str:
    few = spread["zeros_expected"].mean() < spread["zeros_seen"].mean()
    if gap <= max(ZEROS_FINE, _chance(spread)):
        said = "Zeros as seen"
    else:
        said = f"{'Clearly too' if gap > ZEROS_OFF else 'Somewhat too'} {'few' if few else 'many'} zeros"
    return (
        f"{said} (share off by {number(gap)} in a typical feature, of which chance explains {number(_chance(spread))})"
    )


def _chance(spread: Mapping[str, Any]) -> float:
    r"""The gap that a true model would show: mean absolute deviation of a share, :math:`\sqrt{2p(1-p)/(\pi n)}`."""
    share, profiles = spread["zeros_expected"].clip(0, 1), len(spread["row_zeros_seen"])
    return float(np.sqrt(2 * share * (1 - share) / (np.pi * profiles)).mean())


def _variances(gap: float, spread: Mapping[str, Any]) -> str:
    known = (spread["variance_seen"] > 0) & (spread["variance_expected"] > 0)
    less = np.median(spread["variance_expected"][known] / spread["variance_seen"][known]) < 1
    if gap <= VARIANCE_FINE:
        return f"variances as seen (within a factor of {10**gap:.2f} in a typical feature)"
    strength = "far too" if gap > VARIANCE_OFF else "somewhat too"
    return f"variances {strength} {'small' if less else 'large'} (by a factor of {10**gap:.1f} in a typical feature)"


def _short(values: Any) -> list[float]:
    return [float(f"{value:.3g}") for value in values]
