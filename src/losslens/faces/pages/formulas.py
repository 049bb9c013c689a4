"""Formulas as MathML, which browsers draw themselves."""

from __future__ import annotations

import re

from losslens.faces.pages.needs import needed

# What the converter does not know or sets without the space that TeX gives it.
_WRITTEN = ((r"\\arg\b", r"\\mathrm{arg}\\,"), (r"\\mathrm\{(\w{2,})\}", r"\\text{\1}"))
_SPACED = re.compile(r"(<mi>(?:arctan|cosh|cos|log|sin|tanh)</mi>)(?!<mo|</m|<mrow><mo)")


def mathml(latex: str, block: bool = False) -> str:
    """A formula in LaTeX as a ``math`` element, in a line or on its own."""
    with needed("latex2mathml"):
        from latex2mathml.converter import convert
    for pattern, put in _WRITTEN:
        latex = re.sub(pattern, put, latex)
    return _SPACED.sub(r'\1<mspace width="0.17em" />', convert(latex, display="block" if block else "inline"))
