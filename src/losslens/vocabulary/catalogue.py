"""A catalogue: named, frozen entries; the one source of lists, options, plans, tests and pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Generic, Protocol, TypeVar

from losslens.vocabulary.errors import unknown


class Entry(Protocol):
    """What every catalogue entry has: a name, other names it answers to, and one line of text."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names it answers to."""

    @property
    def summary(self) -> str:
        """One line about it."""


E = TypeVar("E", bound=Entry)


class Catalogue(Mapping[str, E], Generic[E]):
    """Entries by name, in the order they were added; a wrong name is answered with the nearest right one.

    Looking up an alias gives the entry itself; iteration goes over true names only. ``find``, as
    ``module:function``, makes the entry of a name that holds a colon: one of the user's own, found by import.

    >>> losslens.LOSSES["mse"].units, "mse" in losslens.LOSSES
    ('data units squared', True)
    >>> losslens.ACTIVATIONS["swish"].name
    'silu'
    """

    def __init__(self, what: str, find: str = "") -> None:
        self.what = what
        self._find = find
        self._entries: dict[str, E] = {}
        self._aliases: dict[str, str] = {}

    def add(self, entry: E) -> E:
        """Add an entry; its name and aliases must be new."""
        for name in (entry.name, *entry.aliases):
            if name in self._entries or name in self._aliases:
                raise ValueError(f"{self.what} {name!r} is in the catalogue already")
        self._entries[entry.name] = entry
        self._aliases.update(dict.fromkeys(entry.aliases, entry.name))
        return entry

    def remove(self, name: str) -> None:
        """Take an entry out again (for entries that a session or a test added)."""
        entry = self._entries.pop(self[name].name)
        for alias in entry.aliases:
            del self._aliases[alias]

    def __getitem__(self, name: str) -> E:
        if self._find and ":" in name and name not in self:
            module, _, function = self._find.partition(":")
            self.add(getattr(import_module(module), function)(name))
        try:
            return self._entries[self._aliases.get(name, name)]
        except KeyError:
            raise unknown(self.what, name, [*self._entries, *self._aliases]) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._aliases

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
