"""The gate: looks at a matrix before anything is trained on it, and says what it is and what follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from losslens.data.detection import Figures, detect, dispersion, figures, known_cap
from losslens.data.kinds import KINDS, Kind
from losslens.data.moments import Moments, duplicate_rows, moments, row_sums, stored
from losslens.data.profiles import Matrix, Profiles
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain

LARGEST = 50_000_000  # stored values beyond which rows are drawn at random
SPARSE = 0.3  # share of zeros from which on non-zeros are judged apart
HEAVY = 3.0  # excess kurtosis of Laplace noise
WIDE = 1.5  # variance over mean of counts that are no longer Poisson

Fact = tuple[str, str, str]


@dataclass(frozen=True)
class Observation:
    """What the gate saw; shares are fractions of all values, None where a figure needs non-negative data."""

    kind: Kind
    reason: str
    declared: bool
    samples: int
    features: int
    minimum: float
    maximum: float
    share_zeros: float
    share_integers: float
    share_integers_nonzero: float
    dynamic_range: float
    overdispersion: float | None
    share_overdispersed: float | None
    heavy_tails: float
    share_heavy_tailed: float
    zero_rows: int
    zero_columns: int
    constant_columns: int
    duplicates: int
    missing: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def sparse(self) -> bool:
        """Whether zeros are so many that the non-zeros are judged apart."""
        return self.share_zeros >= SPARSE

    @property
    def cap(self) -> float:
        """The largest value the scale allows: a common limit just above the maximum, else the maximum."""
        return known_cap(self.maximum)

    def facts(self) -> list[Fact]:
        """Name, value and consequence of everything seen, for display."""
        return [*_about_values(self), *_about_shape(self), *_about_remarks(self)]


def look(profiles: Profiles, kind: str | None = None) -> Observation:
    """Look at the data; ``kind`` (a name or alias of ``KINDS``) or the source's declaration overrules detection.

    Raises:
        UnknownName: no such kind.
        BadInput: the data cannot be of the declared kind.
    """
    named = kind if kind is not None else profiles.declared
    declared = None if named is None else KINDS[named]
    values, remarks = _sampled(profiles.values)
    each = moments(values)
    of = figures(values, each)
    if declared is not None:
        _check_declared(declared, of)
        reason = f"Declared, not detected; values lie between {of.minimum:.4g} and {of.maximum:,.6g}."
        return _observe(profiles.values, values, each, of, declared, reason, True, remarks)
    name, reason = detect(of, values)
    return _observe(profiles.values, values, each, of, KINDS[name], reason, False, remarks)


def _sampled(values: Matrix) -> tuple[Matrix, tuple[str, ...]]:
    """All rows, or of very large data as many at random (always the same) as are looked at in seconds."""
    held, rows = stored(values).size, values.shape[0]
    if held <= LARGEST:
        return values, ()
    number = max(2, rows * LARGEST // held)
    chosen = np.sort(np.random.default_rng(0).choice(rows, number, replace=False))
    return values[chosen], (f"Figures are of {number:,} rows drawn at random from {rows:,}.",)


def _check_declared(kind: Kind, of: Figures) -> None:
    """Refuse a declaration that the values contradict."""
    fractional = 1 - of.share_integers
    limits = kind.raw.interval
    if of.minimum < limits.low or of.maximum > limits.high:
        found = f"values from {of.minimum:.4g} to {of.maximum:.4g}"
    elif kind.raw in (Domain.COUNTS, Domain.BINARY) and fractional > 0:
        found = f"{fractional:.1%} of the values that are not whole numbers"
    else:
        return
    raise BadInput(
        expected=f"{kind.raw.value}, as the data were declared {kind.name!r}",
        found=found,
        remedy="Declare another kind, or none to have it detected.",
    )


def _observe(
    everything: Matrix,
    values: Matrix,
    each: Moments,
    of: Figures,
    kind: Kind,
    reason: str,
    declared: bool,
    remarks: tuple[str, ...],
) -> Observation:
    """Put the figures together; ``values`` may be a part of ``everything``."""
    nonzero_share = 1 - of.share_zeros
    counted = of.minimum >= 0
    expressed = each.mean > 0
    return Observation(
        kind=kind,
        reason=reason,
        declared=declared,
        samples=everything.shape[0],
        features=everything.shape[1],
        minimum=float(everything.min()),
        maximum=float(everything.max()),
        share_zeros=of.share_zeros,
        share_integers=of.share_integers,
        share_integers_nonzero=1 - (1 - of.share_integers) / nonzero_share,
        dynamic_range=float(np.log10(max(abs(of.minimum), abs(of.maximum)) / of.median_nonzero)),
        overdispersion=dispersion(each) if counted else None,
        share_overdispersed=float((each.variance > each.mean)[expressed].mean()) if counted else None,
        heavy_tails=float(np.median(each.excess_kurtosis[each.variance > 0])),
        share_heavy_tailed=float((each.excess_kurtosis > HEAVY)[each.variance > 0].mean()),
        zero_rows=int((row_sums(abs(values)) == 0).sum()),
        zero_columns=int((_nonzeros_per_column(values) == 0).sum()),
        constant_columns=int((each.variance == 0).sum()),
        duplicates=duplicate_rows(values),
        remarks=remarks,
    )


def _nonzeros_per_column(values: Matrix) -> np.ndarray:
    if sp.issparse(values):
        return np.bincount(values.indices, minlength=values.shape[1])
    return np.asarray(np.count_nonzero(values, axis=0))


def _about_values(seen: Observation) -> list[Fact]:
    facts = [
        ("range", f"{seen.minimum:.4g} to {seen.maximum:,.6g}", _say_range(seen)),
        ("zeros", f"{seen.share_zeros:.1%}", _say_zeros(seen)),
        ("whole numbers", f"{seen.share_integers:.1%}", f"Of the non-zero values {seen.share_integers_nonzero:.1%}."),
        ("heavy tails", f"{seen.heavy_tails:.2g}", _say_tails(seen)),
    ]
    if seen.overdispersion is not None and seen.share_overdispersed is not None:
        note = f"Variance over mean of a typical feature; above 1 for {seen.share_overdispersed:.0%} of the features"
        facts.append(("over-dispersion", f"{seen.overdispersion:.3g}", note + _say_dispersion(seen)))
    return facts


def _say_range(seen: Observation) -> str:
    return f"The largest value is {seen.dynamic_range:.1f} decades above the typical non-zero one."


def _say_zeros(seen: Observation) -> str:
    return (
        "Sparse: the non-zero values are judged apart as well, as predicting zeros is easy."
        if seen.sparse
        else "Not sparse."
    )


def _say_tails(seen: Observation) -> str:
    share = f"{seen.share_heavy_tailed:.0%} of the features exceed {HEAVY:g}, the excess kurtosis of Laplace noise"
    consequence = (
        "squared error follows the outliers" if seen.share_heavy_tailed > 0.5 else "no reason against squared error"
    )
    return f"Median excess kurtosis; {share}: {consequence}."


def _say_dispersion(seen: Observation) -> str:
    if not seen.kind.counts:
        return "."
    wide = (seen.overdispersion or 0) > WIDE
    return ": wider than Poisson, as the negative binomial is." if wide else ": close to Poisson."


NOTHING = "They carry no information and add nothing to any loss."
NO_DIRECTION = "They have no direction: cosine is undefined for them and counts as 0."
COPIES = "Copies may land in training and test part alike, which flatters every score; a group column prevents it."


def _about_shape(seen: Observation) -> list[Fact]:
    counted = (
        ("missing values", seen.missing, "Data with missing values are not accepted."),
        ("all-zero rows", seen.zero_rows, NO_DIRECTION),
        ("all-zero columns", seen.zero_columns, NOTHING),
        ("constant columns", seen.constant_columns, NOTHING),
        ("duplicate rows", seen.duplicates, COPIES),
    )
    found = [(name, f"{number:,}", note) for name, number, note in counted if number]
    absent = ", ".join(name for name, number, _ in counted if not number)
    return [*found, *([("none of", absent, "")] if absent else [])]


def _about_remarks(seen: Observation) -> list[Fact]:
    return [("note", "", remark) for remark in seen.remarks]
