"""A comparison read again from its folder: its trials by row and repeat, and what was made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from losslens.faces.folder import MANIFEST, Manifest
from losslens.report.document import Document
from losslens.report.rows import Results, title
from losslens.run.spec import TrialResult, row_keys
from losslens.run.store import Store
from losslens.vocabulary.errors import BadInput, unknown

_RUN = "the output folder of a comparison, or the folder of one of its trials"


@dataclass(frozen=True)
class Recorded:
    """What a folder holds; without a manifest it is that of one trial, without a document it is not finished."""

    folder: Path
    manifest: Manifest | None
    document: Document | None
    results: Results

    @property
    def name(self) -> str:
        """What the data are called."""
        return self.manifest.name if self.manifest else "one trial"

    def title(self, key: str) -> str:
        """How a row is called."""
        return self.document.row(key).title if self.document else title(key)

    def chosen(self, rows: Sequence[str]) -> Results:
        """The rows of these keys, or all that were trained.

        Raises:
            UnknownName: there is no such row; with the nearest name.
        """
        for key in rows:
            if key not in self.results:
                raise unknown("row", key, self.results)
        trained = {key: own for key, own in self.results.items() if next(iter(own.values())).spec.training is not None}
        return {key: self.results[key] for key in dict.fromkeys(rows)} if rows else trained


def recorded(run: str | Path) -> Recorded:
    """Read a folder.

    Raises:
        BadInput: there is no such folder, it is no comparison, or it holds no finished trial.
    """
    folder = Path(run).expanduser().absolute()
    if not folder.is_dir():
        raise BadInput(expected=_RUN, found=f"{run}, which {'is a file' if folder.exists() else 'does not exist'}")
    if (folder / "result.json").exists():
        (alone,) = Store(folder.parent).finished([folder.name])
        return Recorded(folder, None, None, {alone.spec.key: {alone.spec.split.repeat: alone}})
    manifest = _manifest(folder)
    document = _document(folder)
    finished = Store(folder / "trials").finished()
    if not finished:
        raise BadInput(expected=_RUN, found=f"{run}, in which no trial is finished", remedy="Run the comparison first.")
    return Recorded(folder, manifest, document, _judged(finished, document) if document else _unjudged(finished))


def _manifest(folder: Path) -> Manifest:
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise BadInput(
            expected=_RUN, found=f"{folder}, which is something else", remedy="Name the --out of losslens compare."
        ) from error


def _document(folder: Path) -> Document | None:
    path = folder / "results.json"
    if not path.exists() or not (folder / "trials").is_dir():
        return None
    try:
        return Document.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise BadInput(
            expected="results.json as a comparison writes it",
            found=f"another file in {folder}",
            remedy="The same losslens compare command with this --out writes it anew.",
        ) from error


def _judged(finished: Sequence[TrialResult], document: Document) -> Results:
    """What stands in the report, in its order; a folder may hold trials of earlier settings too."""
    known = {result.spec.id: result for result in finished}
    rows = {row.key: [known[name] for name in row.trials if name in known] for row in document.rows}
    return {key: {result.spec.split.repeat: result for result in own} for key, own in rows.items() if own}


def _unjudged(finished: Sequence[TrialResult]) -> Results:
    """By row and repeat, the latest of each."""
    keys = row_keys([result.spec for result in finished])
    rows: dict[str, dict[int, TrialResult]] = {}
    for result in finished:
        rows.setdefault(keys[result.spec.id], {})[result.spec.split.repeat] = result
    return rows
