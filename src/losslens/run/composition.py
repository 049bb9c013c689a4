"""How a candidate becomes specs: what all share, and what its kind of model changes in network, objective, training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from losslens.data.gate import Observation
from losslens.losses import LOSSES
from losslens.models.catalogue import AUTOMATIC, MODELS, ModelEntry
from losslens.models.corruptions import CORRUPTIONS, Corruption, checked
from losslens.models.objective import Term
from losslens.models.spec import CorruptionSpec, ModelSpec, ObjectiveSpec, TermSpec
from losslens.run.spec import TrainingSpec, row_key
from losslens.vocabulary.errors import BadInput, unknown
from losslens.vocabulary.quantities import Domain

CORRUPTED = {"corruption", "pretraining_corruption"}  # fields of a training
EMPHASES = {"none": (1.0, 1.0), "double": (1.0, 0.5), "full": (1.0, 0.0)}


@dataclass(frozen=True)
class Candidate:
    """A loss with an output activation, trained in a kind of model."""

    loss: str
    link: str
    model: str = "autoencoder"

    @property
    def key(self) -> str:
        """The row of the table that it is judged in."""
        return row_key(self.loss, self.link, self.model)


@dataclass(frozen=True)
class Shared:
    """What all candidates have in common: the network and its training, and what kinds of models may ask for.

    Fields of ``model`` and ``training`` that are set go before what a kind would set. ``shape`` (channels, height,
    width) and ``classes`` are empty where the data have none; ``corruption`` takes the place of the one that the kind
    of data would choose; ``beta`` multiplies divergences from a prior; ``pretraining`` are the epochs for each layer of
    kinds that train layer by layer first.
    """

    model: ModelSpec
    training: TrainingSpec
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    corruption: CorruptionSpec | None = None
    beta: float = 1.0
    pretraining: int | None = None


def network_of(candidate: Candidate, shared: Shared) -> ModelSpec:
    """The network of a candidate: what was asked for goes before what its kind would set.

    Raises:
        BadInput: its kind needs a shape or labels that are not there, or options that exclude each other.
    """
    entry = MODELS[candidate.model]
    own = {"kind": entry.name} | ({"shape": _shape(entry, shared)} if entry.needs == "shape" else {})
    if entry.needs == "labels" and len(shared.classes) < 2:
        raise BadInput(
            expected=f"labels of at least two classes, for --models {entry.name}",
            found=str(len(shared.classes)),
            remedy="Name a label column with --label.",
        )
    found = ModelSpec.model_validate({**entry.network, **shared.model.model_dump(exclude_unset=True), **own})
    _check_network(entry, found, shared.training.batch)
    return found


def _shape(entry: ModelEntry, shared: Shared) -> tuple[int, ...]:
    if not shared.shape:
        raise BadInput(
            expected=f"the shape of an image or a series, for --models {entry.name}",
            found="features that form no square",
            remedy="Give --shape HEIGHTxWIDTH or CHANNELSxHEIGHTxWIDTH; a series is 1xLENGTH.",
        )
    return shared.shape


def _check_network(entry: ModelEntry, spec: ModelSpec, batch: int) -> None:
    """Refuse what cannot be had together."""
    convolves, normalises = spec.architecture == "convolutional", spec.normalisation == "batch"
    contracts = any(term.loss == "contractive" for term in entry.terms)
    largest = max((term.options.get("k", 0) for term in entry.terms), default=0)
    contradictions = (
        (spec.tied and convolves, "tied weights", "convolutions"),
        (spec.tied and spec.variational, "tied weights", "a posterior of two numbers for each code unit"),
        (convolves and not spec.hidden, "no hidden layers", "convolutions"),
        (normalises and contracts, "batch normalisation", "a contractive penalty"),
        (normalises and batch == 1, "batch normalisation", "batches of one sample"),
    )
    for both, one, other in contradictions:
        if both:
            raise BadInput(
                expected=f"either {one} or {other}, for --models {entry.name}", found="both", remedy="Change one."
            )
    if largest >= spec.code:
        raise BadInput(
            expected=f"a code of more than {largest} units, for --models {entry.name}",
            found=str(spec.code),
            remedy=f"Its penalty leaves {largest} units alone.",
        )


def objective_of(candidate: Candidate, shared: Shared) -> ObjectiveSpec:
    """The objective of a candidate, options at their defaults."""
    loss, entry = LOSSES[candidate.loss], MODELS[candidate.model]
    return ObjectiveSpec(
        loss=candidate.loss,
        link=candidate.link,
        options={name: option.default for name, option in loss.options.items()},
        content=loss.content,
        terms=tuple(_settled(term, shared) for term in entry.terms),
        classes=shared.classes if entry.needs == "labels" else (),
    )


def _settled(term: TermSpec, shared: Shared) -> TermSpec:
    """A divergence times beta; a warm-up that leaves at least half of the epochs to the full weight."""
    beta = shared.beta if Term(term).is_divergence else 1.0
    warm_up = min(term.warm_up, shared.training.epochs // 2)
    return term.model_copy(update={"weight": beta * term.weight, "warm_up": warm_up})


def training_of(candidate: Candidate, shared: Shared, seen: Observation) -> TrainingSpec:
    """The training of a candidate: what was asked for goes before what its kind would set.

    Raises:
        BadInput: a corruption that the data or the kind do not allow.
    """
    changes = dict(MODELS[candidate.model].training)
    for name in CORRUPTED & changes.keys():
        changes[name] = checked(shared.corruption or _automatic(changes[name], seen))
        _check_counts(candidate, CORRUPTIONS[changes[name].name], seen, name)
    if "pretraining" in changes:
        changes["pretraining"] = shared.pretraining or min(changes["pretraining"], shared.training.epochs)
    return TrainingSpec.model_validate(changes | shared.training.model_dump(exclude_unset=True))


def _check_counts(candidate: Candidate, corruption: Corruption, seen: Observation, place: str) -> None:
    if not corruption.needs_counts or (seen.kind.counts and place == "corruption"):
        return
    lacks = "codes of the layers below, which are no counts" if seen.kind.counts else f"data that are {seen.kind.name}"
    raise BadInput(
        expected=f"counts, for the corruption {corruption.name} in --models {candidate.model}",
        found=lacks,
        remedy="Use masking or gaussian.",
    )


def _automatic(spec: CorruptionSpec, seen: Observation) -> CorruptionSpec:
    """Counts are thinned, values with a zero of their own are masked, others get noise."""
    if spec.name != AUTOMATIC:
        return spec
    if seen.kind.counts:
        return spec.model_copy(update={"name": "thinning"})
    return spec.model_copy(update={"name": "gaussian" if seen.kind.domain is Domain.REAL else "masking"})


def misfit(candidate: Candidate, shared: Shared) -> str:
    """Why a loss cannot be had in its kind of model, or nothing if it can."""
    emphasises = shared.corruption is not None and shared.corruption.emphasises
    if emphasises and _corrupts(candidate) and LOSSES[candidate.loss].family.gives != "element":
        return "an emphasis on corrupted entries needs a loss with a value for each entry, not one of whole profiles"
    return ""


def check_used(shared: Shared, candidates: Sequence[Candidate]) -> None:
    """Refuse options that no candidate would follow."""
    if shared.corruption is not None and not any(map(_corrupts, candidates)):
        raise BadInput(
            expected="a kind of model that corrupts its inputs, for --corruption",
            found=_kinds(candidates),
            remedy="Add --models denoising.",
        )
    if shared.beta != 1.0 and not any(MODELS[each.model].network.get("variational") for each in candidates):
        raise BadInput(
            expected="a variational kind of model, for --beta",
            found=_kinds(candidates),
            remedy="Add --models variational.",
        )
    if shared.pretraining is not None and not any("pretraining" in MODELS[each.model].training for each in candidates):
        raise BadInput(
            expected="a kind of model whose layers are trained one by one, for --pretraining",
            found=_kinds(candidates),
            remedy="Add --models stacked.",
        )


def _corrupts(candidate: Candidate) -> bool:
    return not CORRUPTED.isdisjoint(MODELS[candidate.model].training)


def _kinds(candidates: Sequence[Candidate]) -> str:
    return ", ".join(dict.fromkeys(candidate.model for candidate in candidates))


def corruption_named(text: str, emphasis: str = "none") -> CorruptionSpec:
    """A corruption from ``NAME`` or ``NAME:STRENGTH``, with an emphasis on what it touches.

    >>> corruption_named("masking:0.4", "full").options
    {'rate': 0.4}
    """
    if emphasis not in EMPHASES:
        raise unknown("emphasis", emphasis, EMPHASES)
    name, _, strength = text.partition(":")
    corrupted, intact = EMPHASES[emphasis]
    options = {CORRUPTIONS[name].strength: _number(strength)} if strength else {}
    return CorruptionSpec(name=name, options=options, corrupted=corrupted, intact=intact)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(expected="a number after the colon, as in masking:0.25", found=repr(text)) from None


def shape_named(text: str | None, features: int) -> tuple[int, ...]:
    """Channels, height and width from ``28x28`` or ``3x32x32``; without a text those of a square grey image, or none.

    >>> shape_named("3x4x5", 60), shape_named(None, 64), shape_named(None, 65)
    ((3, 4, 5), (1, 8, 8), ())
    """
    if not text:
        side = math.isqrt(features)
        return (1, side, side) if side * side == features and side > 1 else ()
    found = _sides(text)
    if len(found) not in (2, 3) or math.prod(found) != features:
        raise BadInput(
            expected=f"--shape HEIGHTxWIDTH or CHANNELSxHEIGHTxWIDTH of {features} features in all",
            found=repr(text),
            remedy="A series is 1xLENGTH.",
        )
    return (1, *found) if len(found) == 2 else tuple(found)


def _sides(text: str) -> Sequence[int]:
    parts = text.lower().split("x")
    return [int(part) for part in parts] if all(part.isdecimal() for part in parts) else []
