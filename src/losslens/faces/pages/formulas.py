"""Formulas as MathML, which browsers draw themselves."""

from __future__ import annotations

import re
from html import escape

from losslens.faces.pages.needs import needed

# What the converter does not know or sets without the space that TeX gives it.
_WRITTEN = ((r"\\arg\b", r"\\mathrm{arg}\\,"), (r"\\mathrm\{(\w{2,})\}", r"\\text{\1}"))
_SPACED = re.compile(r"(<mi>(?:arctan|cosh|cos|log|sin|tanh)</mi>)(?!<mo|</m|<mrow><mo)")

_BAR = '<mo stretchy="false">&#x0007C;</mo>'
_CLOSE_BAR = _BAR.replace("<mo ", '<mo lspace="0" rspace="0" ')


def mathml(latex: str, block: bool = False) -> str:
    """A formula in LaTeX as a ``math`` element, in a line or on its own; as it is written if it cannot be read."""
    with needed("latex2mathml"):
        from latex2mathml import exceptions
        from latex2mathml.converter import convert
    found_in = vars(exceptions).values()
    unreadable = tuple(each for each in found_in if isinstance(each, type) and issubclass(each, Exception))
    written = latex
    for pattern, put in _WRITTEN:
        written = re.sub(pattern, put, written)
    try:
        found = convert(written, display="block" if block else "inline")
    except unreadable:  # in a loss of the user's own
        return f"<code>{escape(latex)}</code>"
    return _SPACED.sub(r'\1<mspace width="0.17em" />', found.replace(_BAR, _CLOSE_BAR))
