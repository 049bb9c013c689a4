"""Files before they are parsed: their name, their first bytes, and the error for a damaged one."""

from __future__ import annotations

from pathlib import Path

from losslens.vocabulary.errors import BadInput


def damaged(path: Path, what: str, error: BaseException) -> BadInput:
    """The error for a file that is not what its suffix says, or only a part of it."""
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    return BadInput(
        expected=f"{what} that can be read",
        found=f"{path}, which is damaged, incomplete or something else ({reason.rstrip('.')})",
        remedy="Copy or save the file again.",
    )


def first_bytes(path: Path, number: int = 8) -> bytes:
    """The start of a file, by which its format is known."""
    with path.open("rb") as file:
        return file.read(number)


def stem(path: Path) -> str:
    """The name without any suffix.

    >>> stem(Path("folder/cells.csv.gz"))
    'cells'
    """
    return path.name.split(".")[0] or path.name
