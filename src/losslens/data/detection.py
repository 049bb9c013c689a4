"""Detection: from the figures of a matrix to its kind, with the numbers that decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from losslens.data.moments import Moments, blocks, row_sums, stored
from losslens.data.profiles import Matrix

CAPS = (15, 16, 31, 63, 100, 127, 255, 1023, 4095, 65535)  # maxima of instruments and scales
LOG_LIMIT = 20.0  # log2 of a million; no logarithm of a count or TPM is larger


@dataclass(frozen=True, eq=False)
class Figures:
    """What detection decides by; shares are of all values, zeros included."""

    minimum: float
    maximum: float
    share_zeros: float
    share_integers: float
    share_at_maximum: float
    columns_at_maximum: int
    times_at_maximum: int
    times_below_maximum: int
    share_upper_half: float
    median_nonzero: float
    dispersion: float | None
    row_sum: float
    row_sum_spread: float
    column_mean: float
    column_spread: tuple[float, float]


def figures(values: Matrix, each: Moments) -> Figures:
    """The figures of a matrix; ``each`` are the moments of its features."""
    held = stored(values)
    nonzero = held[held != 0]
    low, high, size = float(values.min()), float(values.max()), values.shape[0] * values.shape[1]
    at_maximum = held == high
    sums = row_sums(values)
    return Figures(
        minimum=low,
        maximum=high,
        share_zeros=1 - len(nonzero) / size,
        share_integers=1 - int((nonzero != np.rint(nonzero)).sum()) / size,
        share_at_maximum=int(at_maximum.sum()) / size,
        times_at_maximum=int(at_maximum.sum()),
        times_below_maximum=_times_below(held, high),
        columns_at_maximum=_columns_at(values, high),
        share_upper_half=int((held > high / 2).sum()) / size,
        median_nonzero=float(np.median(np.abs(nonzero))),
        dispersion=dispersion(each) if low >= 0 else None,
        row_sum=float(np.median(sums)),
        row_sum_spread=float(sums.std() / abs(sums.mean())) if sums.mean() else float("inf"),
        column_mean=_typical_mean(each),
        column_spread=_typical_spread(each),
    )


def dispersion(each: Moments) -> float:
    """Median over expressed features of variance over mean; 1 for Poisson counts."""
    expressed = each.mean > 0
    return float(np.median(each.variance[expressed] / each.mean[expressed]))


def known_cap(maximum: float) -> float:
    """The largest value the scale allows: a common limit if the maximum comes close to it, else the maximum.

    >>> known_cap(241.0), known_cap(5.0)
    (255.0, 5.0)
    """
    return next((float(cap) for cap in CAPS if 0.8 * cap <= maximum <= cap), maximum)


def _times_below(held: npt.NDArray[np.float32], high: float) -> int:
    """How often the second largest value occurs."""
    below = held[held < high]
    return int((below == below.max()).sum()) if below.size else 0


def _columns_at(values: Matrix, level: float) -> int:
    found = np.zeros(values.shape[1], dtype=bool)
    for block in blocks(values):
        if sp.issparse(block):
            found[block.indices[block.data == level]] = True
        else:
            found |= (block == level).any(axis=0)
    return int(found.sum())


def _typical_mean(each: Moments) -> float:
    """The 80 % quantile of the absolute means of features that vary."""
    return float(np.quantile(np.abs(each.mean[each.variance > 0]), 0.8))


def _typical_spread(each: Moments) -> tuple[float, float]:
    """The 10 % and 90 % quantiles of the standard deviations of features that vary."""
    low, high = np.quantile(np.sqrt(each.variance[each.variance > 0]), [0.1, 0.9])
    return float(low), float(high)


def detect(of: Figures, values: Matrix) -> tuple[str, str]:
    """The name of the kind, and the reason in one sentence."""
    if of.minimum < 0:
        return _signed(of)
    if of.share_integers == 1:
        return _whole(of)
    if of.maximum <= 1:
        return "[0, 1]", f"All values lie between {of.minimum:.3g} and {of.maximum:.3g}."
    return _positive(of, values)


def _signed(of: Figures) -> tuple[str, str]:
    low, high = of.column_spread
    facts = f"standard deviations of most features lie between {low:.3g} and {high:.3g}"
    if of.column_mean < 0.1 and low > 0.8 and high < 1.2:
        return (
            "z-scored",
            f"There are negative values, most features have means within {of.column_mean:.2g} of 0, and {facts}.",
        )
    return "real", f"There are negative values (down to {of.minimum:.3g}), and {facts}."


def _whole(of: Figures) -> tuple[str, str]:
    if of.maximum <= 1:
        return "binary", f"All values are 0 or 1, {of.share_zeros:.0%} of them 0."
    if _is_bounded(of):
        return (
            "bounded integers",
            f"All values are whole numbers up to {of.maximum:g}, {of.share_at_maximum:.1%} of them at this maximum "
            f"and {of.share_upper_half:.0%} above half of it.",
        )
    if _is_counted(of):
        return (
            "raw counts",
            f"All values are whole numbers from {of.minimum:g} to {of.maximum:,.0f}, {of.share_zeros:.0%} of them 0, "
            f"and the variance of a typical feature is {of.dispersion:.2g} times its mean.",
        )
    return (
        "non-negative",
        f"All values are whole numbers from {of.minimum:g} to {of.maximum:,.0f}, but {_unlike_counts(of)}.",
    )


def _unlike_counts(of: Figures) -> str:
    if _from_nothing(of):
        return f"the variance of a typical feature is only {of.dispersion:.2g} times its mean: less than counts vary"
    times = of.median_nonzero / max(of.minimum, 1)
    return f"their median is only {times:.2g} times the smallest: a measured scale, not counts of events"


def _is_bounded(of: Figures) -> bool:
    """A pile-up at the maximum, at a known limit, or much of the mass in the upper half: counts thin out instead."""
    often = of.share_at_maximum >= 0.005 and of.times_at_maximum >= 5
    piled = often and of.times_at_maximum >= 0.6 * of.times_below_maximum
    limited = of.maximum in CAPS and of.share_at_maximum >= 2e-4 and of.times_at_maximum >= 5
    full = of.maximum <= 255 and of.share_upper_half >= 0.2 and (of.dispersion or 0) > 2
    return of.columns_at_maximum >= 2 and (piled or limited or (full and of.maximum >= 15))


def _is_counted(of: Figures) -> bool:
    spread = of.dispersion or 0
    return 0.8 <= spread <= 1.25 or (_from_nothing(of) and spread >= 0.5)  # variance equal to mean: Poisson


def _from_nothing(of: Figures) -> bool:
    """Whether the scale starts at nothing, as counting does: there are zeros, or values far below the typical one."""
    return of.share_zeros >= 0.001 or of.median_nonzero >= 20 * max(of.minimum, 1)


def _positive(of: Figures, values: Matrix) -> tuple[str, str]:
    span = f"values reach from {of.minimum:.3g} to {of.maximum:,.4g}, {of.share_zeros:.0%} of them 0"
    if of.row_sum_spread < 0.02 and of.row_sum >= 1000:
        return "TPM-like", f"The profiles have nearly the same sum ({of.row_sum:,.0f}), and {span}."
    if of.maximum <= LOG_LIMIT:
        return _small(of, values, span)
    if of.share_zeros >= 0.1 and of.maximum >= 50 and of.maximum >= 50 * of.median_nonzero:
        factor = of.maximum / of.median_nonzero
        return "TPM-like", f"The {span}; the largest is {factor:,.0f} times the typical one, so no logarithm was taken."
    return "non-negative", f"The {span}, {of.share_integers:.0%} whole numbers: neither counts nor their logarithms."


def _small(of: Figures, values: Matrix, span: str) -> tuple[str, str]:
    spread = _unlogged_spread(values)
    if spread < 0.05:
        return "log-normalised", f"The {span}, and undoing the logarithm gives profiles of nearly the same sum."
    if of.share_zeros >= 0.05:
        return "log-normalised", f"The {span}: none beyond what a logarithm of expression reaches ({LOG_LIMIT:g})."
    return "non-negative", f"The {span}: too few zeros for expression."


def _unlogged_spread(values: Matrix) -> float:
    """The smaller relative spread of row sums after undoing a natural or a binary logarithm of 1 + x."""
    return min(_relative_spread(_unlogged_sums(values, base)) for base in (np.e, 2.0))


def _unlogged_sums(values: Matrix, base: float) -> np.ndarray:
    factor = float(np.log(base))
    grown = (block.astype(np.float64) * factor for block in blocks(values))
    parts = (block.expm1() if sp.issparse(block) else np.expm1(block) for block in grown)
    return np.concatenate([np.asarray(part.sum(axis=1)).ravel() for part in parts])


def _relative_spread(sums: np.ndarray) -> float:
    return float(sums.std() / sums.mean())
