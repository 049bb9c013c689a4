"""Templates of pages: found in any package, every text that is filled in escaped."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def environment() -> Environment:
    """Templates by package and file name, such as ``losslens.report/template.html.j2``; nothing may be missing."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(name: str) -> str:
    package, _, file = name.rpartition("/")
    return files(package).joinpath(file).read_text(encoding="utf-8")
