"""Pages of the catalogue as Markdown with pictures beside it, as code hosts show it.

Formulas stand in fences and between ``$`` and a backtick, where nothing of Markdown touches their backslashes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from losslens.faces.pages import drawing
from losslens.faces.pages.catalogue import Group
from losslens.faces.pages.page import Page
from losslens.faces.pages.prose import Piece, pieces

COMMAND = "losslens catalogue -o docs/catalogue --markdown"


def catalogue(found: Sequence[Group]) -> dict[str, str]:
    """Every page, the index and the pictures, by file name; the last group are the activations."""
    files = {"README.md": _index(found)}
    for group in found:
        for page in group.pages:
            files[f"{page.name}.md"] = _member(page)
            files[f"pictures/{page.name}.svg"] = drawing.sheet(page)
    return files | {"pictures/activations.svg": drawing.overview(found[-1].pages)}


def _index(found: Sequence[Group]) -> str:
    losses = sum(len(group.pages) for group in found[:-1])
    parts = [
        "# Losses and activations",
        f"{losses} losses in {len(found) - 1} families, and {len(found[-1].pages)} activations. These pages are "
        f"written from the entries of the catalogue by `{COMMAND}`; change the entries, not the pages. "
        "`losslens catalogue -o site` writes them as HTML with a search.",
        *(f"## {group.name.capitalize()}\n\n`{group.takes}`\n\n{_table(group)}" for group in found[:-1]),
        "## Activations",
        "![All activations with their derivatives](pictures/activations.svg)",
        _table(found[-1]),
    ]
    return "\n\n".join(parts) + "\n"


def _table(group: Group) -> str:
    rows = (f"| [{page.name}]({page.name}.md) | {_cell(_prose(page.summary))} |" for page in group.pages)
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


def _member(page: Page) -> str:
    parts = [
        f"# {page.name}",
        f"[All losses and activations](README.md) · {page.kind}" + (f" · {page.family}" if page.kind == "loss" else ""),
        _prose(page.summary),
        f"- **When to use it:** {_prose(page.use)}\n- **When not, and how it goes wrong:** {_prose(page.failure)}",
        *map(_formula, page.formula.split("\n")),
        *(["Its derivative:", _formula(page.derivative)] if page.derivative else []),
        *(_prose(text) for text in page.text.split("\n\n") if text),
        "## Curves",
        f"![Value and slope of {page.name}](pictures/{page.name}.svg)",
        "## Facts",
        "\n".join(["| fact | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in page.facts.items())]),
        "## How to call it",
        _code(page.example),
        *(["In PyTorch, the same mean:", _code(page.pytorch)] if page.pytorch else []),
    ]
    return "\n\n".join(parts) + "\n"


def _formula(latex: str) -> str:
    return f"```math\n{latex}\n```"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _prose(text: str) -> str:
    return "".join(_MARKED[piece.kind](piece) for piece in pieces(text))


def _words(piece: Piece) -> str:
    return piece.text.replace("*", "\\*").replace("<", "&lt;")


_MARKED: dict[str, Callable[[Piece], str]] = {
    "words": _words,
    "code": lambda piece: f"`{piece.text}`",
    "math": lambda piece: f"$`{piece.text}`$",
    "member": lambda piece: f"[{piece.text}]({piece.text}.md)",
}
