"""The answer in words: one sentence, what to try next, and the line of PyTorch to paste."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from losslens.measure.metrics import METRICS
from losslens.report.decision import Decision, difference
from losslens.report.document import Dataset, Divergence, Goal, Row, Sweep
from losslens.report.remarks import knee_sentence, on_divergences, on_sizes
from losslens.report.rows import BASELINE_TITLES, Contest, Results, called, parted, scores
from losslens.report.statistics import Interval
from losslens.report.words import after_value, bounds, listed, named, number


@dataclass(frozen=True)
class Answer:
    """What the report says first."""

    sentence: str
    advice: list[str]


@dataclass(frozen=True)
class Beside:
    """What else the answer speaks of, where it is there: code sizes, and the posteriors of variational rows."""

    sweep: Sweep | None = None
    divergences: Sequence[Divergence] = ()


def answer(
    results: Results,
    contest: Contest,
    decision: Decision | None,
    goal: Goal,
    data: Dataset,
    beside: Beside = Beside(),
) -> Answer:
    """Which to use, by how much, how sure, and against which baseline; a baseline that is ahead comes first."""
    if decision is None:
        return Answer("No candidate finished a training, so there is nothing to recommend.", _without_decision())
    told = _Told(results, contest, decision, data.name)
    parts = [told.headline(), told.choice(), told.against(), knee_sentence(beside.sweep, told.pick)]
    advice = [*_advice(told, goal), *on_sizes(beside.sweep), *on_divergences(beside.divergences)]
    return Answer(_one_sentence([part for part in parts if part]), advice)


def _one_sentence(parts: Sequence[str]) -> str:
    """Parts that could stand alone, joined into one sentence.

    >>> _one_sentence(["PCA is ahead.", "On cells, use mse."])
    'PCA is ahead; on cells, use mse.'
    """
    first, *rest = (part.removesuffix(".") for part in parts)
    return "; ".join([first, *(part[0].lower() + part[1:] for part in rest)]) + "."


@dataclass(frozen=True)
class _Told:
    """The parts of the answer, each a sentence or empty."""

    results: Results
    contest: Contest
    decision: Decision
    data: str

    @property
    def pick(self) -> str:
        return self.decision.recommended

    @property
    def repeats(self) -> int:
        return len(self.scores(self.pick))

    @cached_property
    def baseline(self) -> str | None:
        return _strongest_baseline(self.results, self.contest)

    @property
    def baseline_name(self) -> str:
        """The strongest baseline; PCA always has the code size of those it is compared with."""
        return BASELINE_TITLES[parted(self.baseline or "")[0]]

    @cached_property
    def versus(self) -> Interval | None:
        """How far the recommended one is behind the strongest baseline (negative: ahead)."""
        return self.behind(self.pick) if self.baseline else None

    def scores(self, key: str) -> dict[int, float]:
        return scores(self.results[key], self.contest.yardstick)

    def behind(self, key: str) -> Interval:
        """How far a candidate is behind the strongest baseline."""
        assert self.baseline is not None
        return difference(self.scores(self.baseline), self.scores(key), self.contest.test_share, self.contest.sign)

    def headline(self) -> str:
        """The strongest baseline, if all networks, all plain ones, or the recommended one lie behind it."""
        if self.baseline is None or self.repeats < 2:
            return ""
        every = list(self.decision.judged)
        plain = [key for key in every if not is_method(key) and "@" not in key]
        for keys, whom in ((every, "every network"), (plain, "every plain autoencoder")):
            gaps = {key: self.behind(key) for key in keys}
            if gaps and all(gap.low > 0 for gap in gaps.values()):
                return self.ahead_of(whom, min(gaps, key=lambda key: gaps[key].mean))
        whom = "the recommended method" if is_method(self.pick) else "the recommended loss"
        return self.ahead_of(whom, self.pick) if self.versus and self.versus.low > 0 else ""

    def ahead_of(self, whom: str, closest: str) -> str:
        gap = self.behind(closest)
        name = self.baseline_name
        return (
            f"{name[0].upper()}{name[1:]} beats {whom} here, the closest ({called(closest)}) by {number(gap.mean)} in "
            f"{self.yardstick} (95 % interval {bounds(gap)})."
        )

    @property
    def yardstick(self) -> str:
        return named(METRICS[self.contest.yardstick].title)

    @property
    def value(self) -> str:
        own = self.scores(self.pick)
        unit = after_value(METRICS[self.contest.yardstick].unit)
        splits = f"{self.repeats} split{'s' * (self.repeats != 1)}"
        return f"held-out {self.yardstick} {number(sum(own.values()) / len(own))}{unit} over {splits}"

    @property
    def place(self) -> str:
        size = self.contest.size
        return f"On {self.data}" + ("" if size is None else f", with a code of {size}")

    def choice(self) -> str:
        """The recommendation and its lead or its ties."""
        if self.repeats < 2:
            return (
                f"{self.place}, {called(self.pick)} came out first ({self.value}); "
                "one split cannot say how sure that is."
            )
        lead = f"{self.place}, use {called(self.pick)}: {self.value}"
        if len(self.decision.judged) == 1:
            return f"{lead}; it was the only {'method' if is_method(self.pick) else 'loss'} compared."
        return f"{lead}{self.lead()}" if self.decision.sole_winner else f"{lead}{self.ties()}"

    def lead(self) -> str:
        others = [key for key in self.decision.judged if key != self.pick]
        runner = min(others, key=lambda key: self.decision.judged[key].difference.mean)
        gap = self.decision.judged[runner]
        return (
            f", better than every other; the next, {called(runner)}, is {number(gap.difference.mean)} behind "
            f"(95 % interval {bounds(gap.difference)}, p = {gap.p_holm:.2g} after Holm)."
        )

    def ties(self) -> str:
        tied = sorted(self.decision.tied, key=lambda key: self.decision.judged[key].difference.mean)
        others = [called(key) for key in tied if key != self.pick]
        return f"; it is the simplest of {len(others) + 1} that cannot be told apart from the best ({listed(others)})."

    def against(self) -> str:
        """The recommended one beside the strongest baseline, unless the headline has said it."""
        if self.versus is None or self.baseline is None or (self.repeats > 1 and self.versus.low > 0):
            return ""
        if not math.isfinite(self.versus.low):
            side = "ahead of" if self.versus.mean < 0 else "behind"
            gap = f"{number(abs(self.versus.mean))} {side} {self.baseline_name}"
            if abs(self.versus.mean) < 5e-4:
                return f"It scores what {self.baseline_name} scores."
            return f"It lies {gap}" + ("; these splits give no interval for that." if self.repeats > 1 else ".")
        reach = f"95 % interval {number(-self.versus.high)} to {number(-self.versus.low)}"
        if self.versus.high < 0:
            return f"It beats {self.baseline_name} by {number(-self.versus.mean)} ({reach})."
        mean = number(-self.versus.mean)
        return f"It cannot be told apart from {self.baseline_name} (difference {mean}, {reach})."


def _strongest_baseline(results: Results, contest: Contest) -> str | None:
    means = {}
    for key, each in results.items():
        own = scores(each, contest.yardstick) if _rivals(parted(key)[0], contest.yardstick) else {}
        if own:
            means[key] = contest.sign * sum(own.values()) / len(own)
    return max(means, key=lambda key: means[key]) if means else None


def _rivals(name: str, yardstick: str) -> bool:
    """Whether a row is a baseline to be beaten: raw features rebuild themselves, so that only labels judge them.

    >>> _rivals("raw_features", "r2"), _rivals("raw_features", "knn_accuracy"), _rivals("pca", "r2")
    (False, True, True)
    """
    return name in BASELINE_TITLES and (name != "raw_features" or yardstick == "knn_accuracy")


_PCA_BEFORE_LOSSES = (
    "PCA is ahead, as it often is on small and noisy sets. What to try: more samples; a smaller code; the "
    "PCA path (--models pca_path), which starts at PCA and can only add to it; or simply PCA."
)
_PCA_BEFORE_METHODS = (
    "PCA is ahead, as it often is on small sets. What to try: more epochs; views that change what does not matter "
    "(--views), as a method learns to ignore just that; more samples; or simply PCA."
)


def _advice(told: _Told, goal: Goal) -> list[str]:
    lines = []
    if told.baseline and parted(told.baseline)[0] == "pca" and told.versus and told.versus.mean > 0:
        lines.append(_PCA_BEFORE_METHODS if is_method(told.pick) else _PCA_BEFORE_LOSSES)
    if parted(told.pick)[0].endswith("@pca_path"):
        lines.append(
            "The PCA path is a linear path beside the network that starts at PCA and shares its code; the folder "
            "'model' holds it trained, losslens.load reads it."
        )
    if len(told.decision.tied) > 1 and told.repeats >= 2:
        lines.append(
            "Tied means that these splits cannot separate them; more repeats (--repeats 10) separate smaller ones."
        )
    if told.repeats < 3:
        lines.append(_more_repeats(told))
    if len(told.decision.judged) == 1:
        return lines
    other = "method" if is_method(told.pick) else "loss"
    lines.append(
        f"The goal here is {goal.name}; another goal may prefer another {other}. Ask with --goal: with the same --out "
        "nothing is trained again."
    )
    return lines


def _more_repeats(told: _Told) -> str:
    """How to be surer; a pretraining is one split, and a comparison has more."""
    if len(told.decision.judged) > 1 or not is_method(told.pick):
        return "With fewer than 3 repeats the intervals are very wide or missing; use --repeats 5 or more."
    method = parted(told.pick)[0].split("/")[0]
    return f"So few splits cannot say how sure this is: losslens compare DATA --methods {method} --repeats 5 can."


def _without_decision() -> list[str]:
    return [
        "Every training diverged or none was run: look at the notes in the table, or allow more time with --budget."
    ]


def is_method(key: str) -> bool:
    """Whether a row is a self-supervised method.

    >>> is_method("simclr/cut=3/wd=0"), is_method("mse@pca_path/16")
    (True, False)
    """
    return "/cut=" in key


def code_line(row: Row, options: dict[str, float], template: str) -> str:
    """The line of PyTorch to paste for a recommended row."""
    if is_method(row.key):
        _, cut, decay = parted(row.key)[0].split("/")
        return f'found = losslens.pretrain(X, method="{row.model}", {cut}, weight_{decay.replace("wd", "decay")})'
    values = dict(options) | ({"rest": 1 - options["mix"]} if "mix" in options else {})
    return f"loss = {template.format(**values)}" if template else f"loss = losslens.Criterion({row.loss!r})"
