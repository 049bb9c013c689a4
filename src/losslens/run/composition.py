"""How a candidate becomes specs: what all share, and what its kind of model changes in network, objective, training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from losslens.data.gate import Observation
from losslens.losses import LOSSES
from losslens.models.catalogue import AUTOMATIC, MODELS, ModelEntry
from losslens.models.corruptions import CORRUPTIONS, checked
from losslens.models.spec import CorruptionSpec, ModelSpec, ObjectiveSpec, TermSpec
from losslens.run.spec import TrainingSpec, row_key
from losslens.vocabulary.errors import BadInput, unknown
from losslens.vocabulary.quantities import Domain

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

    ``shape`` (channels, height, width) and ``classes`` are empty where the data have none; ``corruption`` takes the
    place of the one that the kind of data would choose; ``beta`` multiplies divergences from a prior.
    """

    model: ModelSpec
    training: TrainingSpec
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    corruption: CorruptionSpec | None = None
    beta: float = 1.0


def network_of(candidate: Candidate, shared: Shared) -> ModelSpec:
    """The network of a candidate.

    Raises:
        BadInput: its kind needs a shape or labels that are not there, or options that exclude each other.
    """
    entry = MODELS[candidate.model]
    changes = dict(entry.network) | {"kind": entry.name}
    if entry.needs == "shape":
        changes["shape"] = _shape(entry, shared)
    if entry.needs == "labels" and len(shared.classes) < 2:
        raise BadInput(
            expected=f"labels of at least two classes, for --models {entry.name}",
            found=f"{len(shared.classes)}",
            remedy="Name a label column with --label.",
        )
    asked = shared.model.model_dump(exclude_unset=True)
    found = ModelSpec.model_validate(changes | asked | {name: changes[name] for name in changes if name != "hidden"})
    _check_network(entry, found)
    return found


def _shape(entry: ModelEntry, shared: Shared) -> tuple[int, ...]:
    if not shared.shape:
        raise BadInput(
            expected=f"the shape of an image or a series, for --models {entry.name}",
            found="features that form no square",
            remedy="Give --shape HEIGHTxWIDTH or CHANNELSxHEIGHTxWIDTH; a series is 1xLENGTH.",
        )
    return shared.shape


def _check_network(entry: ModelEntry, spec: ModelSpec) -> None:
    """Refuse what cannot be had together."""
    contradictions = (
        (spec.tied and spec.architecture != "perceptron", "tied weights", "convolutions"),
        (spec.tied and spec.variational, "tied weights", "a posterior of two numbers for each code unit"),
        (spec.linear_path and spec.variational, "a linear path", "a posterior"),
        (spec.normalisation == "batch" and entry.name == "contractive", "batch normalisation", "a contractive penalty"),
    )
    for both, one, other in contradictions:
        if both:
            raise BadInput(
                expected=f"{one} or {other} for --models {entry.name}", found="both", remedy="Leave one out."
            )


def objective_of(candidate: Candidate, shared: Shared) -> ObjectiveSpec:
    """The objective of a candidate, options at their defaults."""
    loss, entry = LOSSES[candidate.loss], MODELS[candidate.model]
    return ObjectiveSpec(
        loss=candidate.loss,
        link=candidate.link,
        options={name: option.default for name, option in loss.options.items()},
        content=loss.content,
        terms=tuple(_weighted(term, shared.beta) for term in entry.terms),
        classes=shared.classes if entry.needs == "labels" else (),
    )


def _weighted(term: TermSpec, beta: float) -> TermSpec:
    divergence = [argument.name for argument in LOSSES[term.loss].family.arguments] == ["mean", "log_variance"]
    return term.model_copy(update={"weight": beta * term.weight}) if divergence else term


def training_of(candidate: Candidate, shared: Shared, seen: Observation) -> TrainingSpec:
    """The training of a candidate; raises :class:`BadInput` for a corruption that data or loss do not allow."""
    changes = dict(MODELS[candidate.model].training)
    for name in ("corruption", "pretraining_corruption"):
        if name in changes:
            own = shared.corruption or _automatic(changes[name], seen)
            changes[name] = checked(
                own, counts=seen.kind.counts, by_element=LOSSES[candidate.loss].family.gives == "element"
            )
    return shared.training.model_copy(update=changes)


def _automatic(spec: CorruptionSpec, seen: Observation) -> CorruptionSpec:
    """Counts are thinned, values with a zero of their own are masked, others get noise."""
    if spec.name != AUTOMATIC:
        return spec
    if seen.kind.counts:
        return spec.model_copy(update={"name": "thinning"})
    return spec.model_copy(update={"name": "gaussian" if seen.kind.domain is Domain.REAL else "masking"})


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
