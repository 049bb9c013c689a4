"""Self-supervised methods in a plan: which backbone and views suit the data, and every method with cuts and decays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from losslens.data.gate import Observation
from losslens.models.methods import METHODS, MethodEntry
from losslens.models.spec import CutForm, MethodSpec, ModelSpec, ViewSpec
from losslens.run.spec import TrainingSpec, TrialSpec
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain

SeenAs = Literal["image", "profile", "signal"]
EPOCHS, SMALLEST_BATCH, LARGEST_BATCH = 100, 16, 256
BATCHES = 8  # in an epoch, at least, where a batch would not be too small
STAGES = {"image": (16, 32), "signal": (16, 32)}  # widths before the last, which is the code


@dataclass(frozen=True)
class Methods:
    """What was asked for of self-supervised methods; None leaves a field to the method or to the data.

    ``cuts`` and ``decays`` are tried with every method. ``hidden`` and ``shape`` (channels, height, width) say what the
    backbone is; ``samples`` is how many there are.
    """

    names: tuple[str, ...]
    samples: int
    cuts: tuple[float, ...] = (1.0,)
    decays: tuple[float, ...] = ()
    cut_form: CutForm = "all"
    grad_scale: float = 0.0
    views: tuple[ViewSpec, ...] = ()
    seen_as: SeenAs | None = None
    shape: tuple[int, ...] = ()
    shape_given: bool = False
    hidden: tuple[int, ...] | None = None
    head: int = 128
    temperature: float | None = None
    epochs: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str = "cpu"


def method_trials(asked: Methods, model: ModelSpec, seen: Observation, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Fields of trials: every method with every cut and weight decay at every code size, after an untrained encoder.

    Raises :class:`BadInput` where a method is unknown or asked for twice, or its batches would be too small.
    """
    entries = [METHODS[name] for name in dict.fromkeys(METHODS[name].name for name in asked.names)]
    backbone = [_backbone(asked, model, seen, size) for size in sizes]
    untrained = [own.model_copy(update={"kind": "random_encoder"}) for own in backbone]
    baselines = [{"model": own} for own in (ModelSpec(kind="raw_features", hidden=(), code=1), *untrained)]
    trials = [
        {"model": own, "method": _method(entry, cut, asked, seen), "training": _training(entry, decay, asked)}
        for own in backbone
        for entry in entries
        for cut, decay in product(dict.fromkeys(asked.cuts), dict.fromkeys(asked.decays or (entry.weight_decay,)))
    ]
    return [*baselines, *trials]


def check_buildable(trials: Sequence[TrialSpec], features: int) -> None:
    """Make every network once and its views of two rows, so that what cannot be is told before anything is written.

    Raises :class:`BadInput` where a form of the cut does not suit the heads, or a view does not suit the rows.
    """
    import torch

    from losslens.models.objective import Batch
    from losslens.models.siamese import SiameseNetwork
    from losslens.models.views import Views
    from losslens.run.siamese import Pairs

    for spec in trials:
        if spec.method is not None and spec.split.repeat == 0:
            SiameseNetwork(spec.model, spec.method, features)
            rows = Batch(torch.zeros(2, features), scale=torch.ones(2, 1))
            Pairs(Views(spec.method.views), spec.model)(rows, torch.Generator())


def view_of(asked: Methods, seen: Observation) -> SeenAs:
    """As what rows are shown: images are square rows between 0 and 1, or what a shape was given for."""
    if asked.seen_as:
        return asked.seen_as
    within_one = seen.kind.domain in (Domain.UNIT, Domain.BINARY)
    if not asked.shape:
        return "profile"
    if asked.shape[1] == 1:
        return "signal" if asked.shape_given else "profile"
    return "image" if within_one else "profile"


def _backbone(asked: Methods, model: ModelSpec, seen: Observation, size: int) -> ModelSpec:
    kind = view_of(asked, seen)
    common = {"kind": "encoder", "code": size, "activation": model.activation, "dropout": model.dropout}
    if kind == "profile":
        normalisation = model.normalisation if model.normalisation != "none" else "batch"
        return ModelSpec(hidden=asked.hidden or (256,), normalisation=normalisation, **common)
    if not asked.shape:
        raise BadInput(
            expected=f"the shape of an {kind}" if kind == "image" else f"the shape of a {kind}",
            found="features that form no square",
            remedy="Give --shape HEIGHTxWIDTH or CHANNELSxHEIGHTxWIDTH; a series is 1xLENGTH.",
        )
    return ModelSpec(
        architecture="residual",
        hidden=asked.hidden or STAGES[kind],
        shape=asked.shape,
        normalisation="batch",
        **common,
    )


def _method(entry: MethodEntry, cut: float, asked: Methods, seen: Observation) -> MethodSpec:
    return MethodSpec(
        name=entry.name,
        views=asked.views or _usual_views(asked, seen),
        head=asked.head,
        temperature=entry.temperature if asked.temperature is None else asked.temperature,
        momentum=entry.momentum,
        queue=max(_batch(asked), min(4096, asked.samples // 4)) if entry.memory == "queue" else 0,
        cut=cut,
        cut_form=asked.cut_form,
        grad_scale=asked.grad_scale,
    )


def _usual_views(asked: Methods, seen: Observation) -> tuple[ViewSpec, ...]:
    from losslens.models.views import default_views

    channels = asked.shape[0] if asked.shape else 1
    return default_views(view_of(asked, seen), channels=channels, counts=seen.kind.counts)


def _training(entry: MethodEntry, decay: float, asked: Methods) -> TrainingSpec:
    batch = _batch(asked)
    rate = entry.learning_rate * batch / LARGEST_BATCH if asked.learning_rate is None else asked.learning_rate
    return TrainingSpec(
        learning_rates=(rate,),
        batch=batch,
        epochs=asked.epochs or EPOCHS,
        weight_decay=decay,
        precision=asked.precision,
        device=asked.device,
    )


def _batch(asked: Methods) -> int:
    """As asked, else the largest power of two up to 256 that leaves several batches in an epoch."""
    if asked.batch is not None:
        if asked.batch < 2:
            raise BadInput(expected="batches of two samples or more, for --methods", found=str(asked.batch))
        return asked.batch
    fits = int(0.64 * asked.samples) // BATCHES
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, 1 << max(0, fits.bit_length() - 1)))


def method_order(trials: Sequence[TrialSpec]) -> list[str]:
    """Keys of the rows of methods, the simplest first: in the order of the catalogue, uncut before cut."""
    own = {spec.key: spec for spec in trials if spec.method is not None}
    names = list(METHODS)

    def parts(key: str) -> tuple[int, float, float]:
        method, training = own[key].method, own[key].training
        assert method is not None
        assert training is not None
        return names.index(method.name), method.cut, training.weight_decay

    return sorted(own, key=parts)
