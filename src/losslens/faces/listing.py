"""What there is to choose from: every catalogue as records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from losslens.vocabulary.errors import BadInput, unknown


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
            "minimum": entry.minimum,
            "smoothness": entry.smoothness,
            "convex": entry.convex,
            "scale_invariant": entry.scale_invariant,
            "shift_invariant": entry.shift_invariant,
            "candidate": entry.candidate,
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
            "bounded": entry.bounded,
            "zero_centred": entry.zero_centred,
            "monotone": entry.monotone,
            "saturates": entry.saturates,
            "can_die": entry.can_die,
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
    from losslens.models.catalogue import MODELS

    for entry in MODELS.values():
        yield {
            "name": entry.name,
            "aliases": list(entry.aliases),
            "needs": entry.needs,
            "terms": [term.loss for term in entry.terms],
            "use": entry.use,
            "failure": entry.failure,
            "reference": entry.reference,
            "summary": entry.summary,
        }


def _methods() -> Iterable[dict[str, Any]]:
    from losslens.models.methods import METHODS

    for entry in METHODS.values():
        yield {
            "name": entry.name,
            "aliases": list(entry.aliases),
            "contrastive": entry.contrastive,
            "target": entry.target,
            "terms": sorted({term.loss for term in entry.terms}),
            "temperature": entry.temperature,
            "momentum": entry.momentum,
            "learning_rate": entry.learning_rate,
            "weight_decay": entry.weight_decay,
            "cut": entry.cut,
            "published": entry.published,
            "use": entry.use,
            "failure": entry.failure,
            "reference": entry.reference,
            "summary": entry.summary,
        }


def _corruptions() -> Iterable[dict[str, Any]]:
    from losslens.models.corruptions import CORRUPTIONS

    for entry in CORRUPTIONS.values():
        yield {
            "name": entry.name,
            "aliases": list(entry.aliases),
            "options": {name: option.default for name, option in entry.options.items()},
            "marks": entry.marks,
            "needs_counts": entry.needs_counts,
            "summary": entry.summary,
        }


def _views() -> Iterable[dict[str, Any]]:
    from losslens.models.views import VIEWS

    for entry in VIEWS.values():
        yield {
            "name": entry.name,
            "aliases": list(entry.aliases),
            "of": entry.kind,
            "options": {name: option.default for name, option in entry.options.items()},
            "needs_counts": entry.needs_counts,
            "use": entry.use,
            "failure": entry.failure,
            "reference": entry.reference,
            "summary": entry.summary,
        }


def _data() -> Iterable[dict[str, Any]]:
    from losslens.data.bundled import BUNDLED

    for name in BUNDLED:
        yield {"name": name, "summary": (BUNDLED[name].__doc__ or "").strip().split("\n")[0]}


CATALOGUES: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
    "losses": _losses,
    "activations": _activations,
    "models": _models,
    "methods": _methods,
    "corruptions": _corruptions,
    "views": _views,
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


def chosen(found: list[dict[str, Any]], wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records that have all the facts asked for: a flag as it is, a text as a part of theirs.

    >>> [record["name"] for record in chosen(records("losses"), {"elicits": "median", "family": "pointwise"})]
    ['mae', 'smooth_l1', 'huber', 'log_cosh', 'l1_plus_l2', 'lp', 'charbonnier', 'barron']

    Raises:
        BadInput: these records have no such fact.
    """
    for name in wanted:
        if found and name not in found[0]:
            raise BadInput(
                expected=f"facts that these have: {', '.join(found[0])}",
                found=f"--{name.replace('_', '-')}",
                remedy="Losses and activations have different facts.",
            )
    return [record for record in found if all(_has(record[name], value) for name, value in wanted.items())]


def _has(fact: Any, wanted: Any) -> bool:
    return wanted.lower() in str(fact).lower() if isinstance(wanted, str) else fact == wanted
