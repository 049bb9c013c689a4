"""What the scripts on kinds of models share: one comparison after another, and each row beside a baseline's."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import losslens
from _timing import machine, save, say, table
from losslens.report.document import Document
from losslens.report.statistics import corrected_interval

TEST_SHARE = 0.2 / 0.64  # test to training samples, as losslens splits


@dataclass(frozen=True)
class Beside:
    """How far a row is ahead of another in a yardstick, paired over the splits."""

    mean: float
    low: float
    high: float
    wins: int
    splits: int

    def __str__(self) -> str:
        return self.told(4)

    def told(self, digits: int) -> str:
        """With so many digits after the point."""
        mean, low, high = (f"{value:+.{digits}f}" for value in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}], {self.wins} of {self.splits}"


def values(document: Document, key: str, yardstick: str) -> list[float]:
    """The scores of a row by repeat."""
    return [float(value) for value in document.row(key).measurements[yardstick].values if value is not None]


def beside(own: Sequence[float], other: Sequence[float], *, higher_is_better: bool = True) -> Beside:
    """The lead of the first over the second, with the interval that is corrected for splits sharing samples."""
    sign = 1.0 if higher_is_better else -1.0
    leads = [sign * (one - two) for one, two in zip(own, other, strict=True)]
    found = corrected_interval(leads, TEST_SHARE)
    return Beside(found.mean, found.low, found.high, sum(lead > 0 for lead in leads), len(leads))


def compared(name: str, data: Any, folder: Path, **options: Any) -> Document:
    """One comparison, kept in a folder of its own so that the script goes on where it was stopped."""
    say(f"{name}: {options}")
    found = losslens.compare(data, out=folder / name.replace(" ", "-"), **options)
    return found.document


def parser(description: str, *, repeats: int = 5) -> argparse.ArgumentParser:
    """The options that all of these scripts have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--folder", type=Path, default=Path("losslens-runs/benchmarks"), help="where runs are kept")
    made.add_argument("--repeats", type=int, default=repeats, help="random splits")
    made.add_argument("--json", type=Path, help="file for everything measured")
    made.add_argument("--quick", action="store_true", help="only shows that the script runs")
    return made


def report(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], json: Path | None, found: Any) -> None:
    """Print the table with what machine it was made on, and write everything if asked to."""
    about = machine()
    print(f"{title}\n{about['processor']}, {about['cores']} cores; load at the end {about['load']}.\n")
    print(table(head, rows))
    save({"found": found, "machine": about}, json)


Data = dict[str, Callable[[], tuple[Any, dict[str, Any]]]]
