"""The docstring of a loss taken apart, and its words told from code, formulas and names of members."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Literal

_MARKED = re.compile(r":(\w+):`([^`]+)`|``([^`]+)``")


@dataclass(frozen=True)
class Piece:
    """A stretch of prose: words, code, a formula in LaTeX, or the name of a member of the catalogue."""

    kind: Literal["words", "code", "math", "member"]
    text: str


@dataclass(frozen=True)
class Parts:
    """What a docstring says after its first line."""

    formula: str
    text: str
    example: str


def parts(docstring: str) -> Parts:
    """Formula, prose and example of a docstring whose first line is the summary."""
    formula, text, example = [], [], []
    for block in inspect.cleandoc(docstring).split("\n\n")[1:]:
        if block.startswith(".. math::"):
            formula.append(" ".join(block.removeprefix(".. math::").split()))
        elif block.startswith(">>>"):
            example.append(block)
        else:
            text.append(" ".join(block.split()))
    return Parts("\n".join(formula), "\n\n".join(text), "\n".join(example))


def pieces(text: str) -> list[Piece]:
    """The stretches of a paragraph, in order.

    >>> [(piece.kind, piece.text) for piece in pieces("As :func:`huber` with ``delta`` 1.")]
    [('words', 'As '), ('member', 'huber'), ('words', ' with '), ('code', 'delta'), ('words', ' 1.')]
    """
    found, at = [], 0
    for marked in _MARKED.finditer(text):
        found.append(Piece("words", text[at : marked.start()]))
        found.append(_piece(marked))
        at = marked.end()
    found.append(Piece("words", text[at:]))
    return [piece for piece in found if piece.text]


def _piece(marked: re.Match[str]) -> Piece:
    role, named, code = marked.groups()
    if role == "math":
        return Piece("math", " ".join(named.split()))
    return Piece("member", named) if role == "func" else Piece("code", named or code)


def plain(text: str) -> str:
    """The text without marks, for a terminal.

    >>> plain("As :func:`huber` with ``delta`` :math:`1`.")
    'As huber with delta 1.'
    """
    return "".join(piece.text for piece in pieces(text))
