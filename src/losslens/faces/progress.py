"""Progress: one live bar per phase in a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from losslens.measure.findings import Finding
    from losslens.run.spec import TrialSpec

Advance = Callable[..., None]  # one step is done; with a text, what to show beside the bar


class Quiet:
    """Says nothing."""

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        """A phase that nobody watches."""
        yield lambda note="": None

    def say(self, text: str) -> None:
        """Nobody hears it."""


class Bars:
    """Live bars with an estimate of the time left, on standard error."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)

    def say(self, text: str) -> None:
        """A line above the bars."""
        self.console.print(text, markup=False, highlight=False)

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        """A bar that lasts as long as the block."""
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
        with Live(*columns, console=self.console) as live:
            task = live.add_task(name, total=total, note="")
            yield lambda note="": live.update(task, advance=1, note=note)


def automatic() -> Bars | Quiet:
    """Bars if standard error is a terminal."""
    import sys

    return Bars() if sys.stderr.isatty() else Quiet()


class Told:
    """Says what calls for action in a line, once for a row of the table however many repeats show it."""

    def __init__(self, progress: Bars | Quiet) -> None:
        self.progress = progress
        self.said: set[tuple[str, str]] = set()

    def __call__(self, spec: TrialSpec, finding: Finding) -> None:
        """Say a finding of a trial, unless it was said of its row before."""
        from losslens.measure.diagnostics import line

        if (spec.key, finding.name) not in self.said:
            self.said.add((spec.key, finding.name))
            self.progress.say(f"{spec.key}: {line(finding)}")
