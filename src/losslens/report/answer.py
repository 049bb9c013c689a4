"""The answer in words: one sentence, what to try next, and the line of PyTorch to paste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from losslens.measure.metrics import METRICS
from losslens.report.decision import Decision, difference
from losslens.report.document import Dataset, Goal, Row
from losslens.report.rows import Contest, Results, scores, title
from losslens.report.statistics import Interval


@dataclass(frozen=True)
class Answer:
    """What the report says first."""

    sentence: str
    advice: list[str]


def answer(results: Results, contest: Contest, decision: Decision | None, goal: Goal, data: Dataset) -> Answer:
    """Which to use, by how much, how sure, and against which baseline."""
    if decision is None:
        return Answer("No candidate finished a training, so there is nothing to recommend.", _without_decision())
    repeats = len(scores(results[decision.recommended], contest.yardstick))
    baseline = _strongest_baseline(results, contest)
    versus = _versus_baseline(results, contest, decision, baseline) if baseline else None
    parts = [_choice(results, contest, decision, data, repeats), _against(versus, baseline)]
    if versus and baseline and versus.low > 0:
        parts = [_headline(results, contest, decision, baseline, versus), parts[0]]
    return Answer(" ".join(part for part in parts if part), _advice(decision, versus, baseline, repeats, goal))


def _choice(results: Results, contest: Contest, decision: Decision, data: Dataset, repeats: int) -> str:
    metric = METRICS[contest.yardstick]
    pick = decision.recommended
    own = scores(results[pick], contest.yardstick)
    value = f"held-out {_named(metric.title)} {_number(sum(own.values()) / len(own))}{_unit(metric.unit)} over {repeats} split{'s' * (repeats != 1)}"
    if repeats < 2:
        return (
            f"On {data.name}, {title(decision.best)} came out first ({value}); one split cannot say how sure that is."
        )
    if decision.sole_winner:
        runner = min((k for k in decision.judged if k != pick), key=lambda k: decision.judged[k].difference.mean)
        gap = decision.judged[runner]
        return (
            f"On {data.name}, train with {title(pick)}: {value}, better than every other loss; the next, {title(runner)}, is "
            f"{_number(gap.difference.mean)} behind (95 % interval {_bounds(gap.difference)}, p = {gap.p_holm:.2g} after Holm)."
        )
    others = [title(k) for k in sorted(decision.tied, key=lambda k: decision.judged[k].difference.mean) if k != pick]
    if not others:
        return f"On {data.name}, train with {title(pick)}: {value}; it was the only loss compared."
    return (
        f"On {data.name}, train with {title(pick)}: {value}; it is the simplest of {len(others) + 1} losses that "
        f"cannot be told apart from the best ({_listed(others)})."
    )


def _against(versus: Interval | None, baseline: str | None) -> str:
    if versus is None or baseline is None:
        return ""
    if versus.repeats < 2:
        return f"It lies {_number(abs(versus.mean))} {'ahead of' if versus.mean < 0 else 'behind'} {title(baseline)}."
    bounds = f"95 % interval {_number(-versus.high)} to {_number(-versus.low)}"
    if versus.high < 0:
        return f"It beats {title(baseline)} by {_number(-versus.mean)} ({bounds})."
    return f"It cannot be told apart from {title(baseline)} (difference {_number(-versus.mean)}, {bounds})."


def _headline(results: Results, contest: Contest, decision: Decision, baseline: str, versus: Interval) -> str:
    own = scores(results[baseline], contest.yardstick)
    behind = [
        key
        for key in decision.judged
        if difference(own, scores(results[key], contest.yardstick), contest.test_share, contest.sign).low > 0
    ]
    name = title(baseline)
    whom = "every trained model here" if len(behind) == len(decision.judged) else "the recommended one"
    return (
        f"{name[0].upper()}{name[1:]} beats {whom}, by {_number(versus.mean)} in {_named(METRICS[contest.yardstick].title)} "
        f"(95 % interval {_bounds(versus)})."
    )


def _strongest_baseline(results: Results, contest: Contest) -> str | None:
    means = {}
    for key in ("pca", "mean_profile", "zeros"):
        own = scores(results.get(key, {}), contest.yardstick)
        if own:
            means[key] = contest.sign * sum(own.values()) / len(own)
    return max(means, key=lambda key: means[key]) if means else None


def _versus_baseline(results: Results, contest: Contest, decision: Decision, baseline: str) -> Interval:
    own = scores(results[decision.recommended], contest.yardstick)
    return difference(scores(results[baseline], contest.yardstick), own, contest.test_share, contest.sign)


def _advice(decision: Decision, versus: Interval | None, baseline: str | None, repeats: int, goal: Goal) -> list[str]:
    lines = []
    if baseline == "pca" and versus and versus.mean > 0:
        lines.append(
            "PCA is ahead, as it often is on small and noisy sets. What to try: more samples; a smaller code; the PCA path "
            "(--models pca_path), which starts at PCA and can only add to it; or simply use PCA."
        )
    if len(decision.tied) > 1 and repeats >= 2:
        lines.append(
            "Losses are called tied when these splits cannot separate them; more repeats (--repeats 10) separate smaller differences."
        )
    if repeats < 3:
        lines.append(
            f"With {repeats} repeat{'s' * (repeats != 1)} the intervals are very wide or missing; use --repeats 5 or more."
        )
    lines.append(
        f"The goal here is {goal.name}. Another goal may prefer another loss: add --goal to ask, nothing is trained again with the same --out."
    )
    return lines


def _without_decision() -> list[str]:
    return [
        "Every training diverged or none was run: look at the notes in the table, or allow more time with --budget."
    ]


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = list(names[:most])
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")


def _bounds(interval: Interval) -> str:
    return f"{_number(interval.low)} to {_number(interval.high)}"


def _number(value: float) -> str:
    return f"{value:.3f}" if 0.0995 <= abs(value) < 100 else f"{value:.2g}" if abs(value) < 0.0995 else f"{value:,.1f}"


def _named(text: str) -> str:
    """A title inside a sentence: its first letter small, unless it is a symbol.

    >>> _named("Delta-cosine"), _named("R²"), _named("MSE")
    ('delta-cosine', 'R²', 'MSE')
    """
    return text[0].lower() + text[1:] if text[1:2].islower() else text


def _unit(unit: str) -> str:
    return "" if unit.startswith("1") else f" {unit}"


def code_line(row: Row, options: dict[str, float], template: str) -> str:
    """The line of PyTorch to paste for a recommended row."""
    values = dict(options) | ({"rest": 1 - options["mix"]} if "mix" in options else {})
    return f"loss = {template.format(**values)}" if template else f"loss = losslens.Criterion({row.loss!r})"
