"""All pages of the catalogue, in groups: losses by family, then the activations."""

from __future__ import annotations

from dataclasses import dataclass

from losslens.activations import ACTIVATIONS
from losslens.faces.pages.page import Page, page
from losslens.losses import LOSSES


@dataclass(frozen=True)
class Group:
    """Pages of one family; ``takes`` is what its members take and what a value speaks of."""

    name: str
    takes: str
    pages: tuple[Page, ...]


def groups() -> list[Group]:
    """Every family in the order of the catalogue."""
    families = dict.fromkeys(entry.family for entry in LOSSES.values() if ":" not in entry.name)
    found = [
        Group(family.name, family.signature, tuple(page(e.name) for e in LOSSES.values() if e.family is family))
        for family in families
    ]
    return [*found, Group("activations", "x -> x", tuple(page(name) for name in ACTIVATIONS))]


def words(page: Page) -> str:
    """What a search for a member looks through, in small letters."""
    facts = (page.facts.get(name, "") for name in ("also called", "target", "elicits", "units", "source"))
    return " ".join([page.name, page.kind, page.family, page.summary, page.use, page.failure, *facts]).lower()
