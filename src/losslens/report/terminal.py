"""The pieces that terminal output is put together from, and how they reach a terminal of any encoding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

PLAIN = str.maketrans({"↑": "+", "↓": "-", "–": "-", "×": "x", "·": "-", "²": "2", "─": "-", "\N{NO-BREAK SPACE}": " "})


def pairs(rows: Iterable[tuple[str, str]]) -> RenderableType:
    """Names in one column, values beside them."""
    from rich.table import Table
    from rich.text import Text

    out = Table.grid(padding=(0, 2, 0, 0))
    out.add_column(style="dim", max_width=32, overflow="fold")
    out.add_column(ratio=1, overflow="fold")
    for name, value in rows:
        out.add_row(Text(name), Text(value))
    return out


def heading(title: str) -> Text:
    """A title after an empty line."""
    return styled(f"\n{title}", "bold")


def styled(text: str, style: str = "") -> Text:
    """Text as it is, without markup."""
    from rich.text import Text

    return Text(text, style=style)


def terminal() -> Console:
    """Standard output."""
    from rich.console import Console

    return Console()


def show(console: Console, parts: Sequence[RenderableType]) -> None:
    """Print; where the output cannot take a character of ours, print its nearest plain one."""
    from rich.console import Group

    with console.capture() as captured:
        console.print(Group(*parts), highlight=False, crop=False)
    text = "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
    encoding = console.encoding
    if text.encode(encoding, "replace").decode(encoding) != text:
        text = text.translate(PLAIN).encode(encoding, "replace").decode(encoding)
    console.file.write(text)
