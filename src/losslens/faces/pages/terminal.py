"""A page in the terminal, its first curves as rows of bars."""

from __future__ import annotations

from losslens.faces.pages.curves import Curves
from losslens.faces.pages.page import Page
from losslens.faces.pages.prose import plain

BARS = "▁▂▃▄▅▆▇█"


def render(page: Page) -> None:
    """Print a page."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, markup=False)

    say(f"{page.name} ({page.kind})\n{plain(page.summary)}\n\n    {page.formula}\n")
    if page.text:
        say(plain(page.text) + "\n")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    words = {"when to use it": page.use, "how it goes wrong": page.failure, "derivative": page.derivative}
    for fact, value in (words | page.facts).items():
        if value:
            table.add_row(fact, value)
    console.print(table, markup=False)
    say("\n" + drawn(page.curves[0]))
    say(f"\n{page.example}")
    if page.pytorch:
        say(f"\nIn PyTorch, the same mean:  {page.pytorch}")


def drawn(curves: Curves) -> str:
    """Value and slope of each line as two rows of bars, which fit the width of a terminal."""
    widest = max(len(line.name) for line in curves.lines)
    every, indent = (4, " " * (widest + 2)) if widest else (3, "")
    rows = [f"{indent}{'':7}{curves.x}: {curves.low:g} to {curves.high:g}"]
    for line in curves.lines:
        rows.append(f"{line.name:<{len(indent)}}value  {_bars(line.values, every)}")
        rows.append(f"{indent}slope  {_bars(line.slopes, every)}")
    return "\n".join(rows)


def _bars(numbers: tuple[float, ...], every: int) -> str:
    low, high = min(numbers), max(numbers)
    span = (high - low) or 1.0
    heights = (int((number - low) / span * len(BARS)) for number in numbers[::every])
    return "".join(BARS[min(height, len(BARS) - 1)] for height in heights) + f"  {low:.3g} to {high:.3g}"
