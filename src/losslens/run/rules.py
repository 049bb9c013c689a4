"""Which loss and which activation for which data: rules of thumb as data, the one source of all that advises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from losslens.run.situation import HOLLOW, Situation, divided_said, norms_said, tails_said, zeros_said
from losslens.vocabulary.quantities import Domain

Applies = Callable[[Situation], bool]
Measured = Callable[[Situation], str]


@dataclass(frozen=True)
class Rule:
    """Losses for some data: ``data`` says in words what ``applies`` asks, ``measured`` gives the figures at hand."""

    data: str
    losses: tuple[str, ...]
    applies: Applies
    reason: str
    measured: Measured
    rather_not: str


@dataclass(frozen=True)
class Choice:
    """An activation for a place in the network: ``names`` are members of the catalogue, preferred first."""

    place: str
    data: str
    names: tuple[str, ...]
    applies: Applies
    reason: str
    measured: Measured = lambda at: ""


@dataclass(frozen=True)
class Trap:
    """A mistake that such data invite."""

    data: str
    applies: Applies
    text: str
    measured: Measured = lambda at: ""


RULES = (
    Rule(
        "counts whose variance exceeds their mean",
        ("negative_binomial",),
        lambda at: at.seen.kind.counts and at.wide,
        "Counts spread more than Poisson counts do; the negative binomial learns by how much, feature by feature.",
        lambda at: f"The variance of a typical feature is {at.seen.overdispersion:.3g} times its mean.",
        "values were normalised, averaged or logged: they are no counts any more",
    ),
    Rule(
        "counts whose variance is about their mean",
        ("poisson",),
        lambda at: at.seen.kind.counts and not at.wide,
        "Poisson counts vary as much as their mean, and there is no dispersion to learn.",
        lambda at: f"The variance of a typical feature is {at.seen.overdispersion:.3g} times its mean.",
        "the variance exceeds the mean, as it does between cells: negative_binomial",
    ),
    Rule(
        "counts with clearly more zeros than the negative binomial expects",
        ("zero_inflated_negative_binomial",),
        lambda at: at.seen.kind.counts and at.excess_zeros,
        "More values are zero than spread alone explains; a share of lost counts is learned per feature.",
        lambda at: zeros_said(at),
        "the nats of negative_binomial are as good: then the share of lost counts says nothing",
    ),
    Rule(
        "zeros and ones",
        ("bernoulli",),
        lambda at: at.domain is Domain.BINARY,
        "Binary cross-entropy is the likelihood of a yes or no, and of nothing else.",
        lambda at: f"All values are 0 or 1, {1 - at.seen.share_zeros:.0%} of them 1.",
        "values lie between 0 and 1: then it is no likelihood, and its floor is not zero",
    ),
    Rule(
        "numbers in [0, 1]",
        ("continuous_bernoulli",),
        lambda at: at.domain is Domain.UNIT,
        "The continuous Bernoulli is the density on [0, 1] that binary cross-entropy is mistaken for.",
        lambda at: f"Values lie between {at.seen.minimum:.3g} and {at.seen.maximum:.3g}{divided_said(at)}.",
        "a point prediction is all that is wanted: mse with a sigmoid output is simpler",
    ),
    Rule(
        "continuous numbers without heavy tails (counts and TPM: after the logarithm; [0, 1] too)",
        ("mse",),
        lambda at: at.domain is not Domain.BINARY and not at.heavy,
        "Squared error asks for the mean and is what Gaussian noise calls for; it is the loss to beat.",
        lambda at: f"Of the features that are not mostly zero {tails_said(at)}.",
        "there are wild values that are not the signal: squared error follows them",
    ),
    Rule(
        "continuous numbers with heavy tails or outliers",
        ("smooth_l1", "mae", "laplace"),
        lambda at: at.domain is not Domain.BINARY and at.tailed,
        "Absolute error asks for the median, and its pull does not grow with the error; smooth_l1 (the same as "
        "huber at their defaults) is squared near zero; laplace is the likelihood.",
        lambda at: f"Of the features that are not mostly zero {tails_said(at)}.",
        "large values are the signal, or most values are zero: then the median is zero as well",
    ),
    Rule(
        "profiles of which the direction matters and the magnitude does not",
        ("cosine",),
        lambda at: at.goal == "direction",
        "Cosine asks which features stand out, whatever the level of the profile.",
        lambda at: norms_said(at),
        "the magnitude says something, or profiles are close to zero, where directions are noise",
    ),
    Rule(
        "profiles of which the direction matters most",
        ("cosine_plus_mse",),
        lambda at: at.goal == "direction",
        "The cosine for the direction, and a squared error so that the magnitude is not free.",
        lambda at: norms_said(at),
        "magnitudes are technical, such as sequencing depth: then the second term asks for noise",
    ),
    Rule(
        "a code to cluster or search by",
        ("cosine",),
        lambda at: at.goal == "code",
        "Whether norms help or harm a code is not known beforehand: compare a loss that ignores them.",
        lambda at: norms_said(at),
        "samples differ in how much there is of everything, and that matters",
    ),
    Rule(
        "continuous numbers, and a probability is wanted",
        ("gaussian",),
        lambda at: at.goal == "likelihood" and at.continuous and not at.seen.kind.counts and not at.heavy,
        "The Gaussian density learns its one standard deviation: the fit of mse, with nats to compare.",
        lambda at: f"Of the features that are not mostly zero {tails_said(at)}.",
        "tails are heavy: laplace or student_t",
    ),
)

OUTPUTS = (
    Choice(
        "output",
        "values of both signs (centred, z-scored, standardised)",
        ("linear",),
        lambda at: at.domain is Domain.REAL,
        "A sigmoid or softplus output cannot go below zero. tanh is for data scaled into [-1, 1] only.",
        lambda at: f"{at.shape.share_below_zero:.0%} of the values are negative in the working space.",
    ),
    Choice(
        "output",
        "non-negative values",
        ("softplus", "linear"),
        lambda at: at.domain is Domain.NON_NEGATIVE,
        "softplus gives what the data can be: never below zero, without an upper end. linear is to be tried beside it.",
    ),
    Choice(
        "output",
        "values in [0, 1]",
        ("sigmoid",),
        lambda at: at.domain in (Domain.UNIT, Domain.BINARY),
        "sigmoid stays within the limits. bernoulli and continuous_bernoulli take its input (logits) themselves.",
    ),
    Choice(
        "output",
        "counts, under a likelihood of counts",
        ("softmax",),
        lambda at: at.seen.kind.counts,
        "softmax over the features gives the composition of a profile; its library size turns that into means.",
    ),
)

HIDDEN = (
    Choice(
        "hidden", "to begin with", ("relu",), lambda at: True, "Cheap and sparse; --activation relu is the default."
    ),
    Choice(
        "hidden",
        "units die (the same output for every sample)",
        ("leaky_relu", "prelu"),
        lambda at: True,
        "A slope below zero lets a unit come back; prelu learns it, given data enough.",
    ),
    Choice(
        "hidden",
        "a deep stack without normalisation layers",
        ("selu",),
        lambda at: True,
        "Keeps mean 0 and variance 1 by itself, if weights start from LeCun's normal distribution, inputs are "
        "standardised and there is no ordinary dropout.",
    ),
)

LABELLED = (
    Choice(
        "of labels",
        "exactly one class holds",
        ("softmax",),
        lambda at: at.classes > 1,
        "Probabilities that sum to one: cross_entropy, which takes the logits.",
        lambda at: f"These data have {at.classes} classes, one for each sample.",
    ),
    Choice(
        "of labels",
        "several classes may hold at once",
        ("sigmoid",),
        lambda at: at.classes > 1,
        "A probability for each class: bce_with_logits, which takes the logits.",
    ),
)

CHOICES = (*OUTPUTS, *HIDDEN, *LABELLED)

TRAPS = (
    Trap(
        "numbers in [0, 1]",
        lambda at: at.shape.entropy is not None,
        "Binary cross-entropy of such data is no likelihood and never reaches zero: its floor is their entropy.",
        lambda at: f"Here that is {at.shape.entropy:.3g} nats per value.",
    ),
    Trap(
        "heavy tails",
        lambda at: at.domain is not Domain.BINARY and at.tailed,
        "Squared error follows outliers: a value ten times as far away pulls ten times as much.",
        lambda at: f"Of the features that are not mostly zero {tails_said(at)}.",
    ),
    Trap(
        "direction alone",
        lambda at: at.goal in ("direction", "code"),
        "Cosine leaves the magnitude free: outputs of any norm cost the same, so judge magnitudes apart or add a term.",
    ),
    Trap(
        "all-zero profiles",
        lambda at: at.goal in ("direction", "code") and at.seen.zero_rows > 0,
        "A profile of zeros has no direction, and teaches a cosine nothing.",
        lambda at: f"There are {at.seen.zero_rows:,}.",
    ),
    Trap(
        "counts that vary more than their mean",
        lambda at: at.seen.kind.counts and at.wide,
        "Poisson takes every spread beyond the mean for a change of the mean, and is overconfident.",
    ),
    Trap(
        "counts without a clear excess of zeros",
        lambda at: at.seen.kind.counts and at.zeros is not None and not at.excess_zeros,
        "Many zeros are no reason for zero inflation: few counts give many.",
        lambda at: zeros_said(at),
    ),
    Trap(
        "many zeros",
        lambda at: at.shape.share_mostly_zero > HOLLOW and at.domain is not Domain.BINARY,
        "Absolute error asks for the median, and the median of a feature that is mostly zero is zero.",
        lambda at: f"That holds for {at.shape.share_mostly_zero:.0%} of the features.",
    ),
    Trap(
        "counts that were normalised or logged",
        lambda at: at.seen.kind.name in ("log-normalised", "TPM-like"),
        "A likelihood of counts needs the raw counts; normalised values are none. If you have them, advise and compare "
        "those.",
    ),
)
