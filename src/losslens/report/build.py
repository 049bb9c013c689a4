"""From plan, data and results to the document that every renderer draws from."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from losslens import __version__
from losslens.data.gate import Observation
from losslens.data.profiles import Profiles
from losslens.measure.metrics import METRICS
from losslens.report.answer import Beside, answer, code_line
from losslens.report.document import (
    Dataset,
    Document,
    Example,
    Fact,
    Goal,
    Picture,
    Refusal,
    Row,
    Setting,
    Yardstick,
)
from losslens.report.posteriors import divergences
from losslens.report.predictive import checks
from losslens.report.rows import Contest, Results, judge, rows
from losslens.report.sweep import at_size, sweep
from losslens.run.spec import TrialResult, TrialSpec

SHOWN_FEATURES, MAX_PICTURES = 40, 16
Arrays = Callable[[TrialSpec], dict[str, Any]]


@dataclass(frozen=True)
class Held:
    """The held-out part of repeat 0, for examples and pictures: row numbers and values in the working space."""

    index: Any
    profiles: Any
    pictured: int
    examples: int


@dataclass(frozen=True)
class Story:
    """What surrounds the results: how the comparison was set up and what became of it."""

    goal: Goal
    simplest_first: Sequence[str]
    test_share: float
    refused: list[Refusal]
    not_run: list[str]
    settings: list[Setting]
    seconds: float
    templates: dict[str, str]


def dataset(profiles: Profiles, seen: Observation, space: str, transform: str) -> Dataset:
    """What was compared on, as the gate saw it."""
    samples, features = profiles.shape
    labels, groups = profiles.labels, profiles.groups
    return Dataset(
        name=profiles.name,
        source=profiles.source,
        samples=samples,
        features=features,
        classes={} if labels is None else dict(sorted(Counter(map(str, labels)).items())),
        groups=None if groups is None else len(set(groups)),
        kind=seen.kind.name,
        reason=seen.reason,
        facts=[Fact(name=name, value=value, note=note) for name, value, note in seen.facts()],
        remarks=list(profiles.remarks),
        transform=transform,
        space=space,
        content_hash=profiles.content_hash,
    )


def document(results: Results, data: Dataset, profiles: Profiles, held: Held, story: Story, arrays: Arrays) -> Document:
    """Judge the results and put everything a report says into one value."""
    whole = Contest(story.goal.yardstick, story.simplest_first, story.test_share)
    sizes = sweep(results, whole)
    judged, contest = (results, whole) if sizes is None else at_size(results, whole, sizes.chosen)
    decision = judge(judged, contest)
    table = rows(results, contest, decision)
    posteriors = divergences(table, results)
    beside = Beside(sizes, [each for each in posteriors if each.row in judged])
    said = answer(judged, contest, decision, story.goal, data, beside)
    best = next((row for row in table if decision and row.key == decision.recommended), None)
    first = {key: own[0] for key, own in results.items() if 0 in own and own[0].status == "ok"}
    saved = {row.key: arrays(first[row.key].spec) for row in table if row.key in first and row.key in judged}
    return Document(
        losslens=__version__,
        title=f"losslens: {data.name}",
        sentence=said.sentence,
        advice=said.advice,
        code=_code(best, first, story.templates),
        recommended=best.key if best else None,
        dataset=data,
        goal=story.goal,
        yardsticks=_yardsticks(table),
        rows=table,
        sweep=sizes,
        checks=checks(table, saved),
        divergences=posteriors,
        refused=story.refused,
        not_run=story.not_run,
        examples=_examples(saved, profiles, held),
        pictures=_pictures(saved),
        picture_labels=_labels(profiles, held),
        settings=story.settings,
        versions=versions(),
        seconds=story.seconds,
        written=datetime.now().astimezone().isoformat(timespec="seconds"),
    )


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    names = ("torch", "numpy", "scipy", "scikit-learn")
    return {"python": sys.version.split()[0], "losslens": __version__, **{name: version(name) for name in names}}


def _code(best: Row | None, first: dict[str, TrialResult], templates: dict[str, str]) -> str:
    if best is None:
        return ""
    objective = first[best.key].spec.objective if best.key in first else None
    return code_line(best, dict(objective.options) if objective else {}, templates.get(best.loss, ""))


def _yardsticks(table: Sequence[Row]) -> list[Yardstick]:
    shown = {name for row in table for name in row.measurements}
    return [
        Yardstick(
            name=metric.name,
            title=metric.title,
            unit=metric.unit,
            higher_is_better=metric.higher_is_better,
            explanation=metric.explanation,
        )
        for metric in METRICS.values()
        if metric.name in shown
    ]


def _examples(saved: dict[str, dict[str, Any]], profiles: Profiles, held: Held) -> list[Example]:
    """A few held-out profiles, at the features that vary most among the held-out ones."""
    columns = np.sort(np.argsort(-held.profiles.std(0), kind="stable")[:SHOWN_FEATURES])
    step = max(1, len(held.index) // held.examples)
    return [
        Example(
            sample=profiles.samples[row],
            label=None if profiles.labels is None else str(profiles.labels[row]),
            features=[profiles.features[column] for column in columns],
            target=_short(held.profiles[position * step, columns]),
            reconstructions={
                key: _short(parts["examples"][position, columns])
                for key, parts in saved.items()
                if "examples" in parts and position < len(parts["examples"])
            },
        )
        for position, row in enumerate(held.index[::step][: held.examples])
    ]


def _pictures(saved: dict[str, dict[str, Any]]) -> list[Picture]:
    drawn = [(key, parts["picture"]) for key, parts in saved.items() if "picture" in parts][:MAX_PICTURES]
    return [Picture(row=key, x=_short(points[:, 0]), y=_short(points[:, 1])) for key, points in drawn]


def _labels(profiles: Profiles, held: Held) -> list[str] | None:
    if profiles.labels is None:
        return None
    return [str(label) for label in profiles.labels[held.index[: held.pictured]]]


def _short(values: Any) -> list[float]:
    return [float(f"{value:.4g}") for value in values]
