"""Which goal decides, and whether these data can serve it."""

from __future__ import annotations

from losslens.data.gate import Observation
from losslens.data.profiles import Profiles
from losslens.losses import LOSSES
from losslens.measure.evidence import Measure
from losslens.measure.goals import GOALS
from losslens.report.document import Goal
from losslens.run.plan import Plan
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain

NEIGHBOURHOOD = 50  # samples below which a fifth of them has no neighbourhoods to preserve


def settle_goal(asked: str | None, profiles: Profiles, seen: Observation, intended: Plan) -> Goal:
    """The goal asked for, or the one that suits the kind of data; raises :class:`BadInput` if it cannot be judged."""
    by_code = any(spec.method for spec in intended.trials) and _classes(profiles) > 1
    name = GOALS[asked].name if asked else "code" if by_code else seen.kind.goal
    measure = _measure(intended)
    _check(name, profiles, intended, measure)
    metric = GOALS[name].yardstick(labelled=_classes(profiles) > 1, measure=measure)
    because = "Self-supervised methods are for their codes." if by_code else seen.kind.because
    why = f"Asked for with --goal {name}." if asked else because
    reason = f"{why} {GOALS[name].explanation}"
    return Goal(name=name, yardstick=metric.name, reason=reason, inferred=asked is None)


def _measure(intended: Plan) -> Measure | None:
    """Mass (of counts, of zeros and ones) if any candidate has one, else density."""
    entries = [LOSSES[candidate.loss] for candidate in intended.candidates if LOSSES[candidate.loss].is_likelihood]
    if not entries:
        return None
    return "mass" if any(entry.domain in (Domain.COUNTS, Domain.BINARY) for entry in entries) else "density"


def _classes(profiles: Profiles) -> int:
    return 0 if profiles.labels is None else len(set(profiles.labels))


def _check(name: str, profiles: Profiles, intended: Plan, measure: Measure | None) -> None:
    samples, features = profiles.shape
    if name == "likelihood" and measure is None:
        names = ", ".join(sorted({candidate.loss for candidate in intended.candidates}))
        raise BadInput(
            expected="a loss that is a likelihood, for --goal likelihood",
            found=names,
            remedy="Add one, for instance --loss gaussian, or choose another goal.",
        )
    if name == "code" and _classes(profiles) < 2 and samples < NEIGHBOURHOOD:
        raise BadInput(
            expected=f"labels of at least two classes, or {NEIGHBOURHOOD} samples, for --goal code",
            found=f"{samples} samples without such labels",
            remedy="Name a label column with --label, or choose another goal.",
        )
    if name == "direction" and features < 3:
        raise BadInput(
            expected="at least 3 features for --goal direction", found=str(features), remedy="Use --goal magnitude."
        )
