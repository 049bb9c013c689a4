"""What there is to choose from: every catalogue as records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from losslens.vocabulary.errors import unknown


def _losses() -> Iterable[dict[str, Any]]:
    from losslens.losses import LOSSES

    for entry in LOSSES.values():
        yield {
            "name": entry.name,
            "aliases": list(entry.aliases),
            "family": entry.family.name,
            "domain": entry.domain.value,
            "output": entry.link or "any",
            "elicits": entry.elicits,
            "options": {name: option.default for name, option in entry.options.items()},
            "summary": entry.summary,
        }


def _activations() -> Iterable[dict[str, Any]]:
    from losslens.activations import ACTIVATIONS

    for entry in ACTIVATIONS.values():
        yield {
            "name": entry.name,
            "aliases": list(entry.aliases),
            "range": str(entry.range),
            "output": entry.output,
            "summary": entry.summary,
        }


def _yardsticks() -> Iterable[dict[str, Any]]:
    from losslens.measure.metrics import METRICS

    for entry in METRICS.values():
        yield {"name": entry.name, "title": entry.title, "unit": entry.unit, "summary": entry.explanation}


def _goals() -> Iterable[dict[str, Any]]:
    from losslens.measure.goals import GOALS

    for entry in GOALS.values():
        yield {"name": entry.name, "summary": entry.summary, "decided by": entry.explanation}


def _kinds() -> Iterable[dict[str, Any]]:
    from losslens.data.kinds import KINDS

    for entry in KINDS.values():
        yield {"name": entry.name, "aliases": list(entry.aliases), "goal": entry.goal, "summary": entry.summary}


def _models() -> Iterable[dict[str, Any]]:
    yield {"name": "autoencoder", "summary": "An encoder and a decoder of linear layers and activations around a code."}
    yield {"name": "pca_path", "summary": "The same beside a linear path that starts at PCA and shares the code."}


def _data() -> Iterable[dict[str, Any]]:
    from losslens.data.bundled import BUNDLED

    for name in BUNDLED:
        yield {"name": name, "summary": (BUNDLED[name].__doc__ or "").strip().split("\n")[0]}


CATALOGUES: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
    "losses": _losses,
    "activations": _activations,
    "models": _models,
    "yardsticks": _yardsticks,
    "goals": _goals,
    "kinds": _kinds,
    "data": _data,
}


def records(what: str) -> list[dict[str, Any]]:
    """The entries of a catalogue as plain records.

    >>> [record["name"] for record in records("losses")][:2]
    ['mse', 'mae']
    """
    if what not in CATALOGUES:
        raise unknown("catalogue", what, CATALOGUES)
    return list(CATALOGUES[what]())
