"""Kinds of data: what they are called, how they are recognised, and what follows for their treatment."""

from __future__ import annotations

from dataclasses import dataclass

from losslens.vocabulary.catalogue import Catalogue
from losslens.vocabulary.quantities import Domain


@dataclass(frozen=True)
class Kind:
    """A kind of data and its consequences.

    ``raw`` is what the values as read must be, ``domain`` the set they lie in after ``transform``; ``goal`` is the
    yardstick that decides unless the user says otherwise, and ``because`` the reason for it. ``counts`` says
    whether the values as read are counts of events, so that count likelihoods apply.
    """

    name: str
    summary: str
    raw: Domain
    domain: Domain
    transform: str
    goal: str
    because: str
    aliases: tuple[str, ...] = ()
    counts: bool = False


KINDS: Catalogue[Kind] = Catalogue("kind of data")


KINDS.add(
    Kind(
        "raw counts",
        "Unbounded whole numbers from 0: molecules, reads, words.",
        Domain.COUNTS,
        Domain.NON_NEGATIVE,
        "library_log",
        "direction",
        "Library size is technical, so the composition of a profile matters, not its magnitude.",
        aliases=("counts", "raw", "umi"),
        counts=True,
    )
)
KINDS.add(
    Kind(
        "log-normalised",
        "Counts or TPM after normalisation and logarithm.",
        Domain.NON_NEGATIVE,
        Domain.NON_NEGATIVE,
        "none",
        "direction",
        "Depth was normalised away, so what is left to keep is the pattern over features.",
        aliases=("lognorm", "log-normalized", "logged"),
    )
)
KINDS.add(
    Kind(
        "TPM-like",
        "Normalised for depth but not logged: TPM, CPM, counts per 10,000.",
        Domain.NON_NEGATIVE,
        Domain.NON_NEGATIVE,
        "log1p",
        "direction",
        "Every profile was scaled to the same depth, so only its composition carries information.",
        aliases=("tpm", "cpm", "normalised", "normalized"),
    )
)
KINDS.add(
    Kind(
        "bounded integers",
        "Whole numbers up to a limit that is reached often: pixels, gradings.",
        Domain.COUNTS,
        Domain.UNIT,
        "unit_scale",
        "magnitude",
        "Every value has the same fixed scale, so its size is part of what it says.",
        aliases=("pixels", "bounded", "uint8"),
    )
)
KINDS.add(
    Kind(
        "[0, 1]",
        "Numbers between 0 and 1: intensities, proportions, probabilities.",
        Domain.UNIT,
        Domain.UNIT,
        "none",
        "magnitude",
        "Every value has the same fixed scale, so its size is part of what it says.",
        aliases=("unit", "fractions", "proportions"),
    )
)
KINDS.add(
    Kind(
        "binary",
        "Zeros and ones.",
        Domain.BINARY,
        Domain.BINARY,
        "none",
        "likelihood",
        "A yes or no has no size to err by: what counts is the probability given to what was seen.",
        aliases=("bool", "presence"),
    )
)
KINDS.add(
    Kind(
        "non-negative",
        "Measured quantities that cannot be below zero.",
        Domain.NON_NEGATIVE,
        Domain.REAL,
        "standardise",
        "magnitude",
        "Features are measured on scales of their own, so each is standardised and its deviations are to be kept.",
        aliases=("positive", "nonnegative"),
    )
)
KINDS.add(
    Kind(
        "real",
        "Numbers of any sign, on any scale.",
        Domain.REAL,
        Domain.REAL,
        "standardise",
        "magnitude",
        "Features are measured on scales of their own, so each is standardised and its deviations are to be kept.",
        aliases=("continuous",),
    )
)
KINDS.add(
    Kind(
        "z-scored",
        "Features with mean 0 and standard deviation 1.",
        Domain.REAL,
        Domain.REAL,
        "none",
        "magnitude",
        "Values are deviations in standard deviations, whose size is what they say.",
        aliases=("zscored", "z-score", "standardised", "standardized", "scaled"),
    )
)
