"""The folder of a reading or a report: what may be written over, and writing it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from losslens.faces.folder import write
from losslens.vocabulary.errors import BadInput

RESULTS = "results.json"


def check_folder(folder: Path, name: str) -> None:
    """Refuse a folder that holds anything but an earlier result of the same name, before any work is done."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadInput(expected="a folder", found=f"{folder}, which is a file", remedy="Choose another --out.")
    if any(folder.iterdir()) and _named(folder / RESULTS) != name:
        raise BadInput(
            expected=f"a new folder, or one that an earlier '{name}' wrote",
            found=f"{folder}, which is something else",
            remedy="Choose another --out.",
        )
    if not os.access(folder, os.W_OK):
        raise BadInput(expected="a folder that can be written", found=f"{folder}", remedy="Choose another --out.")


def write_all(folder: Path, files: Mapping[str, str]) -> None:
    """Make the folder and write files of text by name, each at once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write(folder / name, text)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadInput(expected="a folder that can be written", found=f"{folder} ({reason})") from error


def _named(results: Path) -> str:
    """Of what the results in a folder are."""
    try:
        found = json.loads(results.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(found.get("name", "")) if isinstance(found, dict) else ""
