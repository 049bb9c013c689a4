"""Errors that teach: what was expected, what was found, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 40  # names in one message


class LosslensError(Exception):
    """Base of every error that losslens raises on purpose; the command line shows it without a traceback."""


class BadInput(LosslensError, ValueError):
    """The user's data or options cannot be used as they are.

    >>> print(BadInput(expected="a positive code size", found="0", remedy="Use --code 32."))
    expected a positive code size, found 0. Use --code 32.
    """

    def __init__(self, *, expected: str, found: str, remedy: str = "") -> None:
        self.expected, self.found, self.remedy = expected, found, remedy
        super().__init__(f"expected {expected}, found {found}. {remedy}".rstrip())

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.expected, self.found, self.remedy)


class UnknownName(BadInput, KeyError):
    """A name that no catalogue, column or file has; carries a did-you-mean."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class Interrupted(LosslensError):
    """The user stopped a run; what was finished is kept and the same command continues."""


class LosslensWarning(UserWarning):
    """Something that runs but is mostly a mistake; says what was found, what it does and what to do.

    >>> issubclass(LosslensWarning, UserWarning)  # so that warnings.simplefilter("error", LosslensWarning) works
    True
    """


def _rebuild(kind: type[BadInput], expected: str, found: str, remedy: str) -> BadInput:
    return kind(expected=expected, found=found, remedy=remedy)


def unknown(what: str, name: str, known: Iterable[str]) -> UnknownName:
    """Build the error for a name that is not among ``known``.

    >>> print(unknown("loss", "hubber", ["huber", "mse"]))
    expected a loss among: huber, mse, found 'hubber'. Did you mean 'huber'?
    """
    names = list(known)
    by_lower_case = {each.lower(): each for each in reversed(names)}
    close = get_close_matches(str(name).lower(), by_lower_case, n=1, cutoff=0.5)
    remedy = f"Did you mean {by_lower_case[close[0]]!r}?" if close else ""
    article = "an" if what[:1] in "aeiou" else "a"
    return UnknownName(expected=f"{article} {what} among: {_listed(names)}", found=repr(name), remedy=remedy)


def _listed(names: list[str]) -> str:
    """Names with commas, of which a message can hold only so many: a table may have thousands of columns."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
