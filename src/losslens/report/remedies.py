"""Whether a remedy helped: the same splits before and after it, paired, with the corrected interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from losslens.measure.metrics import METRICS
from losslens.report.decision import LEVEL, paired
from losslens.report.diagnosis import Answered, Attempt, Gain, Proposal
from losslens.report.findings import RowFinding, gather
from losslens.report.rows import scores
from losslens.report.statistics import Interval, corrected_interval, holm
from losslens.report.words import after_value, bounds, named, number
from losslens.run.spec import TrialResult

ByRepeat = Mapping[int, TrialResult]


@dataclass(frozen=True)
class Pair:
    """A proposal with the results of its row by repeat, as they were and under the change."""

    proposal: Proposal
    before: ByRepeat
    after: ByRepeat


@dataclass(frozen=True)
class Evidence:
    """The paired interval of one remedy, its p value after Holm's correction, and over how many it is corrected."""

    interval: Interval
    p_holm: float
    remedies: int


def judged(pairs: Sequence[Pair], yardstick: str) -> list[Attempt]:
    """What came of each; p values are corrected over all that was tried."""
    intervals = [_interval(pair, yardstick) for pair in pairs]
    corrected = holm({str(place): interval.p for place, interval in enumerate(intervals) if interval.repeats > 1})
    return [
        _attempt(pair, yardstick, Evidence(interval, corrected.get(str(place), 1.0), len(corrected)))
        for place, (pair, interval) in enumerate(zip(pairs, intervals, strict=True))
    ]


def _interval(pair: Pair, yardstick: str) -> Interval:
    sign = 1.0 if METRICS[yardstick].higher_is_better else -1.0
    drawn = next(iter(pair.before.values())).spec.split
    differences = paired(scores(pair.after, yardstick), scores(pair.before, yardstick))
    return corrected_interval([sign * each for each in differences], drawn.test / (1 - drawn.test - drawn.valid))


def _attempt(pair: Pair, yardstick: str, evidence: Evidence) -> Attempt:
    proposal = pair.proposal
    before, after = _means(pair, yardstick)
    answered = [_answered(finding, pair) for finding in proposal.answers]
    verdict = _verdict(pair, evidence.interval, evidence.p_holm)
    parts = [*map(_fate, answered), *_divergences(pair), *_gained(yardstick, evidence, (before, after))]
    return Attempt(
        row=proposal.row,
        title=proposal.title,
        change=proposal.change,
        was=proposal.was,
        answered=answered,
        yardstick=yardstick,
        before=before,
        after=after,
        gain=_gain(evidence.interval, evidence.p_holm),
        diverged_before=_diverged(pair.before),
        diverged_after=_diverged(pair.after),
        repeats=sorted(pair.after),
        verdict=verdict,
        sentence=f"{proposal.title}, {proposal.said}: {'; '.join(parts)}.",
        trials=[pair.after[repeat].spec.id for repeat in sorted(pair.after)],
    )


def _means(pair: Pair, yardstick: str) -> tuple[float | None, float | None]:
    """Over the repeats that have a score before and after."""
    before, after = scores(pair.before, yardstick), scores(pair.after, yardstick)
    shared = before.keys() & after.keys()
    if not shared:
        return None, None
    return sum(before[r] for r in shared) / len(shared), sum(after[r] for r in shared) / len(shared)


def _gain(interval: Interval, p_holm: float) -> Gain | None:
    if not interval.repeats:
        return None
    return Gain(mean=interval.mean, low=interval.low, high=interval.high, p=interval.p, p_holm=p_holm,
                repeats=interval.repeats)  # fmt: skip


def _verdict(pair: Pair, interval: Interval, p_holm: float) -> str:
    """More divergences than before are a harm whatever the others score; fewer are told beside the score."""
    before, after = _diverged(pair.before), _diverged(pair.after)
    if after > before:
        return "hurt"
    if not interval.repeats and after < before:
        return "trains now"
    if interval.repeats < 2:
        return "not judged"
    if p_holm >= LEVEL:
        return "not shown"
    return "helped" if interval.mean > 0 else "hurt"


def _diverged(results: ByRepeat) -> int:
    return sum(result.status == "diverged" for result in results.values())


def _answered(finding: RowFinding, pair: Pair) -> Answered:
    again = next((f for f in gather(pair.after.values()) if (f.name, f.where) == (finding.name, finding.where)), None)
    looked, after = (again.looked, len(again.repeats)) if again else (0, 0)
    gone = False if after else True if looked == len(pair.after) else None
    return Answered(name=finding.name, title=finding.title, where=finding.where, before=len(finding.repeats),
                    after=after, looked=looked, gone=gone)  # fmt: skip


def _fate(answered: Answered) -> str:
    """What became of a finding."""
    title = f"{answered.title} ({answered.where})" if answered.where else answered.title
    counts = f"in {answered.before} repeat{'s' * (answered.before != 1)} before"
    if not answered.looked:
        return f"{title} ({counts}) was not looked at under the change"
    if answered.gone:
        return f"{title} went away ({counts}, in none after)"
    if answered.gone is None:
        return f"{title} ({counts}) arose in none of the {answered.looked} repeats in which it was looked at again"
    return f"{title} {'stayed' if answered.after >= answered.before else 'stayed in some'} ({counts}, in " + (
        f"{answered.after} of {answered.looked} after)"
    )


def _divergences(pair: Pair) -> list[str]:
    before, after = _diverged(pair.before), _diverged(pair.after)
    if not before and not after:
        return []
    return [f"it diverged in {before} of {len(pair.before)} repeats before and in {after} of {len(pair.after)} after"]


def _gained(yardstick: str, evidence: Evidence, means: tuple[float | None, float | None]) -> list[str]:
    """The deciding yardstick in words; the interval and the correction can disagree, which must be said."""
    metric, interval, (before, after) = METRICS[yardstick], evidence.interval, means
    title = named(metric.title)
    if before is None or after is None:
        return [f"{title} cannot be compared, as no repeat has it before and after"]
    scored = f"from {number(before)} to {number(after)}{after_value(metric.unit)}"
    if interval.repeats < 2:
        return [f"{title} went {scored}, and one split cannot say how sure that is"]
    if not math.isfinite(interval.low):
        return [f"{title} went {scored}, with too few splits for an interval"]
    sure = f"95 % interval of the gain {bounds(interval)}"
    if interval.p >= LEVEL:
        return [f"it did not help measurably: {title} went {scored} ({sure})"]
    better = "better" if interval.mean > 0 else "worse"
    chance = f", yet of {evidence.remedies} remedies one may do so by chance (p {number(evidence.p_holm)} after Holm)"
    doubt = chance if evidence.p_holm >= LEVEL else ""
    return [f"{title} got {better} by {number(abs(interval.mean))}, {scored} ({sure}){doubt}"]
