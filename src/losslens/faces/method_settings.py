"""From options to what is asked of self-supervised methods, each option checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, get_args

from losslens.data.profiles import Profiles
from losslens.faces.settings import at_least, within
from losslens.models.methods import METHODS
from losslens.models.spec import CutForm
from losslens.models.views import views_named
from losslens.run.composition import Shared
from losslens.run.methods import Methods
from losslens.vocabulary.errors import BadInput, unknown
from losslens.vocabulary.quantities import Range

CUT, SCALE, DECAYS, TEMPERATURES = Range(1.0, 1e6), Range(0.0, 4.0), Range(0.0, 1.0), Range(0.01, 10.0)
FEWEST = 50  # samples


def methods_of(
    shared: Shared,
    profiles: Profiles,
    names: Sequence[str],
    *,
    cuts: float | Sequence[float],
    decays: Sequence[float],
    grad_scale: float,
    views: str,
    shape_given: bool,
    hidden: Sequence[int] | None,
    epochs: int | None,
    batch: int | None,
    learning_rates: Sequence[float] | None,
    cut_form: str = "all",
    **others: Any,
) -> Methods:
    """What was asked for, checked. One learning rate is theirs; of a grid, which is for Adam, they keep their own."""
    if profiles.shape[0] < FEWEST:
        raise BadInput(expected=f"{FEWEST} samples or more, for self-supervised methods", found=str(profiles.shape[0]))
    return Methods(
        names=tuple(METHODS[name].name for name in names),
        samples=profiles.shape[0],
        cuts=tuple(within(CUT, each, "a cut") for each in several(cuts)),
        decays=tuple(within(DECAYS, each, "weight decay of a method") for each in decays),
        cut_form=_form(cut_form),
        grad_scale=within(SCALE, grad_scale, "a gradient scale"),
        views=views_named(views),
        shape=shared.shape,
        shape_given=shape_given,
        hidden=None if hidden is None else tuple(hidden),
        epochs=None if epochs is None else at_least(1, epochs, "epochs"),
        batch=batch,
        learning_rate=learning_rates[0] if learning_rates and len(set(learning_rates)) == 1 else None,
        precision=shared.training.precision,
        device=shared.training.device,
        **others,
    )


def check_methods_asked(asked: dict[str, Any]) -> None:
    """Refuse settings of methods where no method is compared; each has the value that means none.

    >>> check_methods_asked({"cut": 1.0, "cut_form": "all", "grad_scale": 0.0, "views": ""})
    """
    nothing = {"cut": (1.0,), "cut_form": "all", "grad_scale": 0.0, "views": ""}
    read = asked | {"cut": several(asked["cut"])}
    given = [f"--{name.replace('_', '-')}" for name, value in read.items() if value != nothing[name]]
    if given:
        raise BadInput(
            expected=f"self-supervised methods, for {' and '.join(given)}",
            found="none",
            remedy="Add --methods, for instance --methods simclr; the weights of autoencoders are not cut.",
        )


def _form(name: str) -> CutForm:
    if name not in get_args(CutForm):
        raise unknown("form of the cut", name, get_args(CutForm))
    return cast(CutForm, name)


def several(values: float | Sequence[float]) -> tuple[float, ...]:
    """Each number once, be it one or several.

    >>> several(3), several([1, 3, 1])
    ((3.0,), (1.0, 3.0))
    """
    given = [values] if isinstance(values, int | float) else values
    return tuple(dict.fromkeys(float(value) for value in given))


def decays_of(asked: float | Sequence[float] | None, methods: bool) -> tuple[tuple[float, ...], float]:
    """Weight decays of methods, none if each has its own, and that of autoencoders.

    >>> decays_of(None, True), decays_of(0.01, False), decays_of([0, 5e-4], True)
    (((), 0.0), ((0.01,), 0.01), ((0.0, 0.0005), 0.0))
    """
    decays = () if asked is None else several(asked)
    if len(decays) > 1 and not methods:
        raise BadInput(
            expected="one weight decay for autoencoders",
            found=", ".join(f"{each:g}" for each in decays),
            remedy="Several are compared of self-supervised methods: add --methods.",
        )
    return decays, decays[0] if len(decays) == 1 else 0.0
