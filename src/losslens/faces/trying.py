"""Remedies run as paired trials, through the machinery of every comparison: stored by id, resumable, in any order."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from losslens.data.profiles import Profiles
from losslens.faces.progress import Bars, Quiet
from losslens.faces.recorded import Recorded
from losslens.report.diagnosis import Attempt, Proposal
from losslens.report.remedies import Pair, judged
from losslens.run.changed import changed
from losslens.run.executors import Executor
from losslens.run.session import Clock, Outcome, complete
from losslens.run.spec import TrialResult, TrialSpec
from losslens.run.store import Store
from losslens.vocabulary.errors import Interrupted


@dataclass(frozen=True)
class Trial:
    """What remedies are tried in: a run, the yardstick that decides there, and a way to have its data again."""

    source: Recorded
    yardstick: str
    profiles: Callable[[], Profiles]

    @property
    def store(self) -> Store:
        """Where the trials are kept."""
        return Store(self.source.folder / "tried")


def tried(
    trial: Trial, proposals: Sequence[Proposal], executor: Executor, progress: Bars | Quiet
) -> tuple[list[Attempt], list[str]]:
    """Run what is missing and judge; also a sentence for each remedy of which no trial ended."""
    planned = [_specs(trial.source, proposal) for proposal in proposals]
    specs = list({spec.id: spec for each in planned for spec in each.values()}.values())
    outcome = _completed(trial, specs, executor, progress)
    trial.store.clear_weights(keep=set())
    known = {spec.id: result for spec in specs if (result := trial.store.get(spec))}
    pairs, lost = [], []
    for proposal, each in zip(proposals, planned, strict=True):
        after = {repeat: known[spec.id] for repeat, spec in each.items() if spec.id in known}
        if after:
            pairs.append(_pair(trial.source, proposal, after))
        missing = [reason for spec, reason in outcome.missing if spec in each.values()]
        if missing:
            lost.append(f"{proposal.title}, {proposal.said}: {len(missing)} repeats not run, {missing[0]}.")
    return judged(pairs, trial.yardstick), lost


def _specs(source: Recorded, proposal: Proposal) -> dict[int, TrialSpec]:
    own = source.results[proposal.row]
    return {repeat: changed(own[repeat].spec, proposal.change) for repeat in proposal.repeats}


def _pair(source: Recorded, proposal: Proposal, after: dict[int, TrialResult]) -> Pair:
    return Pair(proposal, {repeat: source.results[proposal.row][repeat] for repeat in after}, after)


def _completed(trial: Trial, specs: Sequence[TrialSpec], executor: Executor, progress: Bars | Quiet) -> Outcome:
    """Run the trials that are not there; the data are read only if there are any."""
    store, cache = trial.store, trial.source.folder / "cache"
    missing = [spec for spec in specs if store.get(spec) is None]
    folder = _written(trial.profiles(), cache) if missing else cache
    try:
        with progress.phase("trying", len(specs)) as advance:
            outcome = complete(specs, folder, store, executor, Clock(), advance)
    except KeyboardInterrupt:
        ready = sum(store.get(spec) is not None for spec in specs)
        raise Interrupted(
            f"Stopped. {ready} of {len(specs)} trials are finished and kept. The same command goes on from there."
        ) from None
    shutil.rmtree(cache, ignore_errors=True)
    return outcome


def _written(profiles: Profiles, cache: Path) -> Path:
    from losslens.run.prepared import DataFolder

    return DataFolder.write(profiles, cache).folder
