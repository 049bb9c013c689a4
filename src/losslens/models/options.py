"""Options that a function declares by its signature, and the check of those that someone asks for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_type_hints

from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Option, Range


def declared_options(compute: Callable[..., Any]) -> dict[str, Option]:
    """The keyword-only arguments that are annotated ``Annotated[float, Range(...)]``, in their order."""
    hints, given = get_type_hints(compute, include_extras=True), inspect.signature(compute).parameters.values()
    own = [(p, get_args(hints[p.name])) for p in given if p.kind is p.KEYWORD_ONLY]
    return {p.name: Option(p.default, found[1]) for p, found in own if isinstance(found[-1], Range)}


def check_options(owner: str, options: Mapping[str, Option], given: Mapping[str, Any]) -> None:
    """Refuse a name that is no option of its owner, and a value that is no number of its range.

    Raises:
        BadInput: for either.
    """
    for name, value in given.items():
        if name not in options:
            raise BadInput(expected=f"an option of {owner}: {', '.join(options)}", found=repr(name))
        if not isinstance(value, int | float) or value not in options[name].range:
            found = f"{value:g}" if isinstance(value, int | float) else repr(value)
            raise BadInput(expected=f"{name} of {owner} in {options[name].range}", found=found)
