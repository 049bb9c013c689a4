"""A trial with some of its fields changed, and nothing else: the other half of a paired comparison. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from losslens.run.spec import TrialSpec
from losslens.vocabulary.errors import BadInput

CHANGEABLE = ("model", "objective", "method", "training")  # data, split, preprocessing and seed are what a pair shares


def changed(spec: TrialSpec, change: Mapping[str, Any]) -> TrialSpec:
    """The trial with the values at these dotted paths replaced, checked as any trial.

    Parts of a list are named by their place: ``objective.terms.0.weight``.

    Raises:
        BadInput: there is no such field, its value is not allowed, or the pair would not share data, split and seed.

    >>> from losslens.models.spec import ModelSpec
    >>> from losslens.run.spec import SplitSpec, TrainingSpec, TransformSpec
    >>> spec = TrialSpec(data="d", transform=TransformSpec(name="none"), split=SplitSpec(repeat=0), model=ModelSpec(),
    ...                  training=TrainingSpec())
    >>> changed(spec, {"training.learning_rates": [1e-4], "model.activation": "elu"}).training.learning_rates
    (0.0001,)
    """
    plain = spec.model_dump(mode="json")
    for path, value in change.items():
        if path.split(".")[0] not in CHANGEABLE:
            raise BadInput(expected=f"a change of {', '.join(CHANGEABLE)}", found=path)
        holder, last = _holder(plain, path)
        holder[last] = value
    try:
        return TrialSpec.model_validate(plain)
    except ValidationError as error:
        raise BadInput(expected="a trial that can be run", found=_faults(error)) from error


def value_at(spec: TrialSpec, path: str) -> Any:
    """What stands at a dotted path, as plain data; None for a key that is not set.

    >>> from losslens.models.spec import ModelSpec
    >>> from losslens.run.spec import SplitSpec, TransformSpec
    >>> spec = TrialSpec(data="d", transform=TransformSpec(name="none"), split=SplitSpec(repeat=0), model=ModelSpec())
    >>> value_at(spec, "model.hidden")
    [256]
    """
    holder, last = _holder(spec.model_dump(mode="json"), path)
    return holder[last] if isinstance(last, int) else holder.get(last)


def _holder(plain: Any, path: str) -> tuple[Any, str | int]:
    """The mapping or list in which the last part of a path stands, and its key or place there."""
    *parts, last = path.split(".")
    if not parts:
        raise BadInput(expected="a path such as training.learning_rates", found=repr(path))
    for part in parts:
        key = _place(plain, part, path)
        plain = plain[key] if isinstance(key, int) else plain.get(key)
    return plain, _place(plain, last, path)


def _place(holder: Any, part: str, path: str) -> str | int:
    if isinstance(holder, dict):
        return part
    if isinstance(holder, list) and part.isdecimal() and int(part) < len(holder):
        return int(part)
    raise BadInput(expected="a path into the trial's spec", found=f"{path!r}, where it has no {part!r}")


def _faults(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
