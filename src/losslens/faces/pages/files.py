"""Writing pages: every file appears complete."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from losslens.vocabulary.errors import BadInput


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts by their path below a folder, which is made if it is not there.

    Raises:
        BadInput: the folder cannot be made, or a file not be written.
    """
    for name, text in files.items():
        path = folder / name
        fresh = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(text, encoding="utf-8", newline="\n")
            os.replace(fresh, path)
        except OSError as error:
            raise BadInput(expected="a place that can be written to", found=f"{path} ({error.strerror})") from error
        finally:
            if fresh.is_file():
                fresh.unlink()
