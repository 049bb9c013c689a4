"""Libraries that only pages with pictures need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from losslens.vocabulary.errors import BadInput


@contextmanager
def needed(library: str) -> Iterator[None]:
    """Imports of a library of the extra ``pages``; where it is missing the error says how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BadInput(
            expected=f"the library {library}, which pages with pictures need",
            found=f"no module {error.name}",
            remedy="pip install 'losslens[pages]'",
        ) from error
