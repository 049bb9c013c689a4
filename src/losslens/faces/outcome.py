"""From finished trials to the document, the files and the object that ``compare`` returns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from losslens.data.gate import Observation
from losslens.data.profiles import Profiles
from losslens.data.transforms import TRANSFORMS
from losslens.faces.folder import write
from losslens.faces.method import settings
from losslens.losses import LOSSES
from losslens.models.files import SavedModel, save
from losslens.report import html
from losslens.report.build import Held, Story, dataset, document
from losslens.report.document import Dataset, Document, Goal, Refusal
from losslens.report.rows import title
from losslens.run.executors import Serial
from losslens.run.methods import method_order
from losslens.run.plan import Plan, simplicity
from losslens.run.prepared import DataFolder, Prepared
from losslens.run.session import Clock, Outcome
from losslens.run.spec import TrainingSpec, TrialSpec, row_keys
from losslens.run.store import Store


@dataclass(frozen=True)
class Run:
    """What a comparison set out to do."""

    profiles: Profiles
    seen: Observation
    plan: Plan
    goal: Goal
    training: TrainingSpec

    @property
    def facts(self) -> Dataset:
        """What the gate saw, before anything is fitted."""
        summary = TRANSFORMS[self.seen.kind.transform].summary
        return dataset(self.profiles, self.seen, summary, summary)

    @property
    def refused(self) -> list[Refusal]:
        """The pairs that do not fit the data."""
        return [Refusal(candidate=each.candidate, reason=each.reason) for each in self.plan.refused]


@dataclass(frozen=True)
class Comparison:
    """A judged comparison: shows itself in a notebook, prints itself in a terminal.

    >>> import numpy, tempfile
    >>> X = numpy.random.default_rng(0).normal(size=(60, 8))
    >>> small = dict(losses=["mse"], repeats=2, epochs=2, learning_rates=[1e-3], code=2, hidden=[8], workers=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = losslens.compare(X, **small, out=folder)
    >>> found.recommended, sorted(found.table.index)
    ('mse', ['mean_profile', 'mse', 'pca', 'zeros'])
    """

    document: Document
    folder: Path

    @property
    def sentence(self) -> str:
        """The answer."""
        return self.document.sentence

    @property
    def recommended(self) -> str | None:
        """Key of the recommended row."""
        return self.document.recommended

    @cached_property
    def table(self) -> Any:
        """Mean of every yardstick by row, as a DataFrame, best first."""
        import pandas as pd

        return pd.DataFrame(
            {row.key: {name: m.mean for name, m in row.measurements.items()} for row in self.document.rows}
        ).T

    @cached_property
    def model(self) -> Any:
        """The recommended model, with ``transform`` and ``reconstruct``."""
        from losslens.faces.models import load

        return load(self.folder)

    def _repr_html_(self) -> str:
        return html.fragment(self.document)

    def __str__(self) -> str:
        return self.sentence


def finish(run: Run, outcome: Outcome, folder: Path, store: Store, data: DataFolder, clock: Clock) -> Comparison:
    """Judge, write results.json and report.html, save the recommended model."""
    first = run.plan.trials[0]
    prepared = data.prepare(first.split, first.transform)
    facts = dataset(run.profiles, run.seen, prepared.transform.space, TRANSFORMS[run.seen.kind.transform].summary)
    judged = document(
        outcome.results, facts, run.profiles, _held(prepared), _story(run, prepared, outcome, clock), store.arrays
    )
    _save_model(judged, run, outcome, folder, store, data)
    write(folder / "results.json", judged.model_dump_json(indent=1))
    write(folder / "report.html", html.render(judged))
    return Comparison(judged, folder)


def _held(prepared: Prepared) -> Held:
    import torch

    from losslens.run.trial import EXAMPLES, PICTURED

    test = prepared.split.test
    return Held(test, prepared.profiles(torch.from_numpy(test)).numpy(), PICTURED, EXAMPLES)


def _story(run: Run, prepared: Prepared, outcome: Outcome, clock: Clock) -> Story:
    return Story(
        goal=run.goal,
        simplest_first=[
            *(candidate.key for candidate in sorted(run.plan.candidates, key=simplicity)),
            *method_order(run.plan.trials),
        ],
        test_share=len(prepared.split.test) / len(prepared.split.train),
        refused=run.refused,
        not_run=_not_run(run, outcome),
        settings=settings(run.plan, run.training, prepared),
        seconds=clock.elapsed,
        templates={entry.name: entry.torch_line for entry in LOSSES.values()},
    )


def _not_run(run: Run, outcome: Outcome) -> list[str]:
    """A sentence for each row with missing repeats, and one for what fits but is not compared by default."""
    missing: dict[tuple[str, str], list[int]] = defaultdict(list)
    rows = row_keys(run.plan.trials)
    for spec, reason in outcome.missing:
        missing[rows[spec.id], reason].append(spec.split.repeat)
    lines = [
        f"{title(key)}: repeat{'s' * (len(repeats) > 1)} {', '.join(str(r + 1) for r in repeats)} not run, {reason}."
        for (key, reason), repeats in missing.items()
    ]
    by_output: dict[str, list[str]] = defaultdict(list)
    for pair in run.plan.left_out:
        loss, _, output = pair.partition("+")
        by_output[output].append(loss)
    by_losses: dict[str, list[str]] = defaultdict(list)
    for output, losses in by_output.items():
        by_losses[", ".join(losses)].append(f"--loss NAME{'+' * bool(output)}{output}")
    return lines + [f"Fits too, not asked for ({', '.join(how)}): {names}." for names, how in by_losses.items()]


def _save_model(judged: Document, run: Run, outcome: Outcome, folder: Path, store: Store, data: DataFolder) -> None:
    """The recommended candidate of the first finished repeat; its trial is run again if its weights were cleared."""
    if judged.recommended is None:
        return
    spec = min(outcome.results[judged.recommended].values(), key=lambda result: result.spec.split.repeat).spec
    weights = store.weights(spec) or _weights_again(spec, store, data)
    transform = data.prepare(spec.split, spec.transform).transform
    arrays = {**weights, **{f"transform.{name}": value for name, value in transform.arrays().items()}}
    about = {
        "trial": spec.id,
        "row": judged.recommended,
        "data": run.profiles.name,
        "sentence": judged.sentence,
        "losslens": judged.losslens,
    }
    save(
        SavedModel(
            spec.model, spec.objective, run.seen.kind.name, spec.transform.name, run.profiles.features, arrays, about
        ),
        folder / "model",
    )
    store.clear_weights(keep={spec.id})


def _weights_again(spec: TrialSpec, store: Store, data: DataFolder) -> dict[str, Any]:
    finished = next(Serial().run([spec], data.folder, lambda: True))
    store.put(finished.result, finished.weights, finished.arrays)
    weights: dict[str, Any] = finished.weights
    return weights
