"""The output folder of a comparison or a fit: whose it is, who is writing to it, and what a killed run left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from errno import EACCES
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from losslens import __version__
from losslens.models.spec import Spec
from losslens.run.spec import Precision
from losslens.vocabulary.errors import BadInput

MANIFEST = "run.json"
PARTIAL = ".*.partial"  # what is being written; complete files and folders are renamed
_OTHER = "Choose another --out."


class Source(Spec):
    """How data were asked for, so that they can be read again: a bundled name or an absolute path, and its columns."""

    data: str
    label: str | None = None
    group: str | None = None
    id_column: str | None = None
    transpose: bool = False
    layer: str | None = None
    size: int | None = None


class Manifest(Spec):
    """``run.json``: what the folder is a comparison or a fit of, and the precision found best when it began."""

    format: Literal[1] = 1
    losslens: str = __version__
    name: str
    data: str
    precision: Precision
    source: Source | None = Field(None, description="None where the data were handed over in memory")


def place(out: str | Path | None, name: str) -> Path:
    """The folder asked for, or one named after the data and the time."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return (
        Path(out).expanduser() if out else Path("losslens-runs") / f"{name.replace(os.sep, '-')}-{stamp}"
    ).absolute()


def earlier(folder: Path, data: str, what: str = "comparison", of: str = "data") -> Manifest | None:
    """What an earlier run of these data left in the folder, or None if it is new or empty.

    Raises :class:`BadInput`, in terms of ``what`` the run is and ``of`` what, if the folder holds anything else.
    """
    if not os.path.isdir(folder) or not [path for path in folder.iterdir() if not path.match(PARTIAL)]:
        return None
    try:
        found = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise _refused(f"{folder}, which is something else", what, of) from error
    if found.data != data:
        raise _refused(f"a {what} of other {of} ({found.name}) in {folder}", what, of)
    return found


def claim(folder: Path, manifest: Manifest) -> None:
    """Make the folder and say in it what it is for; nothing is left behind where that cannot be done."""
    made: list[Path] = []
    try:
        for path in (*reversed(folder.parents), folder):
            if not path.exists():
                path.mkdir()
                made.append(path)
        if not (folder / MANIFEST).exists():  # never replaced, as a run holds it
            write(folder / MANIFEST, manifest.model_dump_json(indent=1))
        if not os.access(folder, os.W_OK):
            raise PermissionError(EACCES, "permission denied")
    except OSError as error:
        for path in reversed(made):
            path.rmdir()
        reason = error.strerror or type(error).__name__
        raise BadInput(expected="a folder that can be written", found=f"{folder} ({reason})", remedy=_OTHER) from error


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder while this one writes to it; the hold of a killed run ends with it."""
    with (folder / MANIFEST).open("rb") as file:
        if not _locked(file.fileno()):
            raise BadInput(
                expected="a folder that no other run is writing to",
                found=f"one that is running in {folder}",
                remedy=f"Wait for it to end, or c{_OTHER[1:]}",
            )
        for left in folder.rglob(PARTIAL):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield


def write(path: Path, content: str) -> None:
    """Replace a file at once."""
    fresh = path.with_name(f".{path.name}.partial")
    try:
        fresh.write_text(content, encoding="utf-8")
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def _refused(found: str, what: str, of: str) -> BadInput:
    expected = f"a new folder, or one that an earlier {what} of these {of} wrote"
    return BadInput(expected=expected, found=found, remedy=_OTHER)


def _locked(descriptor: int) -> bool:
    """Whether the file is ours now; also where files cannot be locked (Windows, some network drives)."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True
