"""``diagnose``: what went wrong inside the trainings of a run, and whether the remedies help."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from losslens import __version__
from losslens.faces.compare import executor_of
from losslens.faces.devices import usable
from losslens.faces.folder import Manifest, claim, held, write
from losslens.faces.origin import again
from losslens.faces.progress import Bars, Quiet
from losslens.faces.recorded import Recorded, recorded
from losslens.report.diagnosis import Diagnosis, Proposal, RowDiagnosis
from losslens.report.findings import RowFinding, gather, urgency
from losslens.report.inside import arisen
from losslens.vocabulary.errors import BadInput, unknown

Say = Callable[[Diagnosis, Sequence[Proposal]], None]


def diagnose(
    run: str | Path,
    attempt: bool = False,
    *,
    rows: Sequence[str] = (),
    findings: Sequence[str] = (),
    data: Any = None,
    label: Any = None,
    group: Any = None,
    id_column: str | None = None,
    transpose: bool = False,
    layer: str | None = None,
    workers: int | None = None,
    progress: Bars | Quiet | None = None,
    announce: Say | None = None,
) -> Diagnosis:
    """Read again what was seen inside the trainings of a run, and with ``attempt`` try the remedies.

    A remedy is tried as a paired trial: every repeat of its row is trained again with the same split, seed and
    everything else, and only the change that the finding names. All repeats are, not only those in which it arose:
    taken alone, the worst ones would look better the second time without any remedy. The trials are stored under
    ``tried`` in the folder of the run; calling again continues what is missing. Returns a :class:`Diagnosis`.

    ``run`` is the output folder of a comparison; to read only, also the folder of one of its trials. ``rows`` and
    ``findings`` narrow what is spoken of and tried, by keys of rows and names of findings. ``data`` are needed where
    they were given in memory or are not where they were; they are read, with ``label`` and the further options, as
    :func:`losslens.compare` does, and refused if their content is another. With 0 ``workers`` trials run in this
    process.

    Raises:
        BadInput: no such run, row or finding, or the data cannot be had again.

    >>> import numpy, tempfile
    >>> X = numpy.random.default_rng(0).normal(size=(60, 8))
    >>> small = dict(losses=["mse"], repeats=2, epochs=2, learning_rates=[1e-3], code=2, hidden=[8], workers=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = losslens.compare(X, **small, out=folder)
    ...     found = losslens.diagnose(folder, rows=["mse"])
    >>> found.rows[0].title, found.rows[0].repeats
    ('mse', 2)
    """
    source = recorded(run)
    found = Diagnosis(folder=str(source.folder), data=source.name, rows=_diagnosed(source, rows, findings))
    if not attempt:
        return found
    manifest, yardstick = _tryable(source)
    proposals, refused = _proposals(source, found)
    found = found.model_copy(update={"not_tried": refused})
    if announce:
        announce(found, proposals)
    if not proposals:
        return found
    from losslens.faces.trying import Trial, tried

    asked = {"label": label, "group": group, "id_column": id_column, "transpose": transpose, "layer": layer}
    claim(source.folder, manifest)
    with held(source.folder):
        attempts, lost = tried(
            Trial(source, yardstick, lambda: again(manifest, data, **asked)),
            proposals,
            executor_of(workers),
            progress or Quiet(),
        )
        found = found.model_copy(update={"attempts": attempts, "not_tried": [*refused, *lost]})
        write(source.folder / "tried" / "diagnosis.json", found.model_dump_json(indent=1))
    return found


def _diagnosed(source: Recorded, rows: Sequence[str], findings: Sequence[str]) -> list[RowDiagnosis]:
    """What was found by row, of what was asked for."""
    chosen = source.chosen(rows)
    gathered = {key: gather(own[repeat] for repeat in sorted(own)) for key, own in chosen.items()}
    known = sorted({finding.name for each in gathered.values() for finding in each})
    for name in findings:
        if name not in known:
            raise unknown("finding", name, known or ["none was recorded"])
    return [
        RowDiagnosis(
            key=key,
            title=source.title(key),
            repeats=len(chosen[key]),
            findings=[each for each in told if not findings or each.name in findings],
        )
        for key, told in gathered.items()
    ]


def _tryable(source: Recorded) -> tuple[Manifest, str]:
    """The manifest and the deciding yardstick of a run whose remedies can be tried."""
    if source.manifest is None:
        raise BadInput(
            expected="the output folder of a comparison to try remedies in",
            found=f"the folder of one trial, {source.folder}",
            remedy="Name the comparison's folder; --row chooses what is tried.",
        )
    if source.document is None:
        raise BadInput(
            expected="a finished comparison to try remedies in",
            found=f"one without results.json, {source.folder}",
            remedy="The same losslens compare command with this --out finishes it.",
        )
    specs = [result.spec for own in source.results.values() for result in own.values()]
    others = {spec.version for spec in specs} - {__version__}
    if others:
        raise BadInput(
            expected=f"trials of losslens {__version__}, as a pair must differ in the change alone",
            found=f"trials of {', '.join(sorted(others))}",
            remedy="Run the comparison again with this version.",
        )
    for device in sorted({spec.training.device for spec in specs if spec.training}):
        usable(device)
    return source.manifest, source.document.goal.yardstick


def _proposals(source: Recorded, found: Diagnosis) -> tuple[list[Proposal], list[str]]:
    """Each distinct change of each row once, the most pressing first; and why some cannot be tried."""
    from losslens.run.changed import changed, value_at

    proposals, refused = [], []
    for row, answers in sorted(_remedies(found), key=lambda pair: urgency(pair[1][0])):
        own, change = source.results[row.key], answers[0].change
        names = ", ".join(each.called for each in answers)
        try:
            same = [changed(result.spec, change) == result.spec for result in own.values()]
        except BadInput as error:
            refused.append(f"{row.title}: the remedy of {names} cannot be tried: {error}")
            continue
        was = {path: value_at(own[min(own)].spec, path) for path in change}
        proposal = Proposal(row=row.key, title=row.title, change=change, was=was, answers=answers, repeats=sorted(own))
        if all(same):
            refused.append(f"{row.title}: the remedy of {names} changes nothing ({proposal.said}).")
        else:
            proposals.append(proposal)
    return proposals, refused


def _remedies(found: Diagnosis) -> Iterator[tuple[RowDiagnosis, list[RowFinding]]]:
    """Findings of a row that one change answers, the most pressing first."""
    for row in found.rows:
        by_change: dict[str, list[RowFinding]] = {}
        for finding in arisen(row.findings):
            if finding.change:
                by_change.setdefault(json.dumps(finding.change, sort_keys=True), []).append(finding)
        yield from ((row, answers) for answers in by_change.values())
