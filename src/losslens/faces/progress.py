"""Progress: one live bar per phase in a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[..., None]  # one step is done; with a text, what to show beside the bar


class Quiet:
    """Says nothing."""

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        """A phase that nobody watches."""
        yield lambda note="": None


class Bars:
    """Live bars with an estimate of the time left, on standard error."""

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        """A bar that lasts as long as the block."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Live

        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Live(*columns, console=Console(stderr=True)) as live:
            task = live.add_task(name, total=total, note="")
            yield lambda note="": live.update(task, advance=1, note=note)


def automatic() -> Bars | Quiet:
    """Bars if standard error is a terminal."""
    import sys

    return Bars() if sys.stderr.isatty() else Quiet()
