"""From options to the specs of network and training, each option checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast, get_args

from losslens.data.profiles import Profiles
from losslens.faces.folder import Manifest
from losslens.models.spec import CorruptionSpec, ModelSpec, Normalisation
from losslens.run.composition import corruption_named
from losslens.run.spec import Precision, TrainingSpec
from losslens.vocabulary.errors import BadInput, unknown
from losslens.vocabulary.quantities import Range

SMALL, SMALL_BATCH, LARGE_BATCH = 5000, 32, 128
DROPOUT, DECAY, AVERAGE, BETA = Range(0.0, 0.95), Range(0.0, 10.0), Range(0.0, 0.9999), Range(0.0, 1e6)


def network(
    *,
    code: int,
    hidden: Sequence[int] | None,
    activation: str,
    normalisation: str,
    dropout: float | None,
    tied: bool,
) -> ModelSpec:
    """The network that was asked for; what is left open here a kind of model may set."""
    from losslens.activations import ACTIVATIONS

    if normalisation not in get_args(Normalisation):
        raise unknown("normalisation", normalisation, get_args(Normalisation))
    asked: dict[str, object] = {"activation": ACTIVATIONS[activation].name, "tied": tied}
    if hidden is not None:
        asked["hidden"] = tuple(at_least(1, width, "hidden widths") for width in hidden)
    if dropout is not None:
        asked["dropout"] = within(DROPOUT, dropout, "dropout")
    return ModelSpec.model_validate({"code": at_least(1, code, "a code size"), "normalisation": normalisation, **asked})


def training(
    profiles: Profiles,
    *,
    epochs: int | None,
    batch: int | None,
    learning_rates: Sequence[float] | None,
    precision: Precision,
    device: str,
    weight_decay: float,
    average: float | None,
) -> TrainingSpec:
    """The training that was asked for; what is left open here a kind of model may set."""
    usual = SMALL_BATCH if profiles.shape[0] < SMALL else LARGE_BATCH
    asked = {} if average is None else {"average": within(AVERAGE, average, "an average of weights")}
    return TrainingSpec(
        learning_rates=_rates(learning_rates),
        batch=usual if batch is None else at_least(1, batch, "a batch size"),
        epochs=TrainingSpec().epochs if epochs is None else at_least(1, epochs, "epochs"),
        precision=precision,
        device=device,
        weight_decay=within(DECAY, weight_decay, "weight decay"),
        **asked,
    )


def corruption_of(corruption: str | None, emphasis: str) -> CorruptionSpec | None:
    """The corruption that was asked for, or None to let the kind of data choose."""
    if corruption is not None:
        return corruption_named(corruption, emphasis)
    if emphasis != "none":
        raise BadInput(
            expected="a corruption for the emphasis to speak of",
            found="none",
            remedy="Add, for instance, --corruption masking:0.25.",
        )
    return None


def precision_of(asked: str, before: Manifest | None) -> Precision:
    """As asked; for ``auto`` what the folder was begun with, so that nothing in it is trained again."""
    from losslens.run.precision import probe

    if asked == "auto":
        return before.precision if before else probe()
    if asked not in get_args(Precision):
        raise unknown("precision", asked, ["auto", *get_args(Precision)])
    return cast(Precision, asked)


def _rates(learning_rates: Sequence[float] | None) -> tuple[float, ...]:
    """The grid, each rate once."""
    rates = tuple(dict.fromkeys(learning_rates or TrainingSpec().learning_rates))
    wrong = [rate for rate in rates if not 0 < rate < math.inf]
    if wrong:
        raise BadInput(
            expected="positive learning rates", found=str(wrong[0]), remedy="Use, for instance, --lr 1e-4,1e-3."
        )
    return rates


def at_least(least: int, value: int, what: str) -> int:
    """The number, unless it is too small."""
    if value < least:
        raise BadInput(expected=f"{what} of at least {least}", found=str(value))
    return value


def within(allowed: Range, value: float, what: str) -> float:
    """The number, unless it is out of range."""
    if value not in allowed:
        raise BadInput(expected=f"{what} in {allowed}", found=f"{value:g}")
    return value
