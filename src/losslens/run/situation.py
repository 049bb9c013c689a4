"""What advice depends on: figures of the data, the goal, the classes; and the sentences that hold those figures."""

from __future__ import annotations

from dataclasses import dataclass

from losslens.data.gate import HEAVY, WIDE, Observation
from losslens.data.working import Shape
from losslens.data.zero_inflation import ZeroShares
from losslens.vocabulary.quantities import Domain

MANY = 0.5  # share of features from which on heavy tails are the rule
SOME = 0.05  # share from which on they are worth a loss beside the squared error
HOLLOW = 0.3  # share of features whose median is zero


@dataclass(frozen=True)
class Situation:
    """What advice depends on: the gate's figures, those of the working space, zeros of counts, goal and classes."""

    seen: Observation
    shape: Shape
    zeros: ZeroShares | None = None
    goal: str = "magnitude"
    classes: int = 0

    @property
    def domain(self) -> Domain:
        """Of the values in the working space."""
        return self.seen.kind.domain

    @property
    def continuous(self) -> bool:
        """Whether values are neither only zeros and ones nor confined to [0, 1]."""
        return self.domain not in (Domain.BINARY, Domain.UNIT)

    @property
    def wide(self) -> bool:
        """Whether counts vary more than Poisson counts."""
        return (self.seen.overdispersion or 0.0) > WIDE

    @property
    def tailed(self) -> bool:
        """Whether some features have heavy tails, and few are mostly zero, so that medians are of use."""
        return self.shape.share_heavy_tailed > SOME and self.shape.share_mostly_zero <= HOLLOW

    @property
    def heavy(self) -> bool:
        """Whether heavy tails are the rule."""
        return self.tailed and self.shape.share_heavy_tailed > MANY

    @property
    def excess_zeros(self) -> bool:
        """Whether counts are clearly more often zero than the negative binomial expects."""
        return self.zeros is not None and self.zeros.clear


def tails_said(at: Situation) -> str:
    """How many features have heavy tails, the middle of a sentence."""
    return f"{at.shape.share_heavy_tailed:.0%} have heavier tails than Laplace noise (excess kurtosis {HEAVY:g})"


def norms_said(at: Situation) -> str:
    """How much of the distance between profiles is a difference of their norms."""
    return f"Of the squared distance between two profiles {at.shape.norm_share:.1%} is a difference of their norms."


def divided_said(at: Situation) -> str:
    """What bounded values are divided by, the end of a sentence; empty for others."""
    return f", and are divided by {at.seen.cap:g}" if at.seen.kind.transform == "unit_scale" else ""


def zeros_said(at: Situation) -> str:
    """The share of zeros beside what spread alone would give; empty without counts."""
    zeros = at.zeros
    if zeros is None:
        return ""
    within = f", class by class in {zeros.within} classes, " if zeros.within > 1 else " "
    return (
        f"{zeros.observed:.1%} of the values are zero; negative binomial counts of the same means and variances"
        f"{within}would have {zeros.negative_binomial:.1%}, Poisson counts {zeros.poisson:.1%}."
    )
