"""What a loss refuses, before it computes anything: wrong shapes, masks, options, targets outside the domain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain, Interval

if TYPE_CHECKING:
    from losslens.losses.family import Argument, LossEntry, Tensors


def check(entry: LossEntry, tensors: Tensors, mask: Tensor | None, settings: Mapping[str, Any]) -> None:
    """Refuse what the loss is not defined for, naming what was expected and what was found."""
    _check_shapes(entry, tensors)
    _check_labels(entry, tensors)
    _check_mask(entry, tensors, mask)
    check_options(entry, settings)
    missing = [name for name in entry.parameters if name not in settings]
    if missing:
        raise BadInput(
            expected=f"{' and '.join(missing)} for {entry.name}, as tensors",
            found="none",
            remedy=f"Pass {missing[0]}=, or use Criterion({entry.name!r}), which learns it.",
        )
    if not torch.compiler.is_compiling():
        for argument, tensor in zip(entry.family.arguments, tensors, strict=True):
            if argument.target:
                present = tensor if mask is None else tensor[mask]
                ignored = settings.get("ignore_index", entry.extras.get("ignore_index"))
                _check_domain(entry, present if ignored is None else present[present != ignored])


def _check_shapes(entry: LossEntry, tensors: Tensors) -> None:
    arguments = entry.family.arguments
    if _fits(arguments, tensors):
        return
    same = len({argument.shape for argument in arguments}) == 1 and len({tensor.shape for tensor in tensors}) > 1
    names = " and ".join(argument.name for argument in arguments)
    wanted = "one shape" if same else "shapes " + ", ".join(_named(argument.shape) for argument in arguments)
    raise BadInput(
        expected=f"{names} of {wanted} for {entry.name}",
        found=" and ".join(str(tuple(tensor.shape)) for tensor in tensors),
        remedy="Broadcasting would average over pairs that do not belong together.",
    )


def _named(shape: str) -> str:
    return " or ".join(f"({', '.join(alternative.split())})" for alternative in shape.split("|"))


def _check_labels(entry: LossEntry, tensors: Tensors) -> None:
    """Labels are whole by type, one for each sample; probabilities over classes are not, and fill a table."""
    for argument, tensor in zip(entry.family.arguments, tensors, strict=True):
        labels = argument.target and entry.domain is Domain.LABELS
        if labels and tensor.is_floating_point() != (tensor.dim() == 2):
            raise BadInput(
                expected=f"class indices of an integer type, (batch,), or probabilities, (batch, classes), "
                f"for {entry.name}",
                found=f"{tensor.dtype} of {tuple(tensor.shape)}",
                remedy="Pass target.long() or target.float().",
            )


def _fits(arguments: tuple[Argument, ...], tensors: Tensors) -> bool:
    sizes: dict[str, Any] = {}
    alike: dict[str, tuple[int, ...]] = {}
    for argument, tensor in zip(arguments, tensors, strict=True):
        shape = tuple(tensor.shape)
        if alike.setdefault(argument.shape, shape) != shape:  # not of the same alternative
            return False
        if not any(_bind(alternative.split(), shape, sizes) for alternative in argument.shape.split("|")):
            return False
    return True


def _bind(names: list[str], shape: tuple[int, ...], sizes: dict[str, Any]) -> bool:
    """Whether a shape has these dimensions, at the sizes bound so far; binds those that are new."""
    if names[:1] == ["..."]:
        rest = len(names) - 1
        cut = len(shape) - rest
        found = {"...": shape[:cut], **dict(zip(names[1:], shape[cut:], strict=False))}
    else:
        cut, found = len(shape) - len(names), dict(zip(names, shape, strict=False))
        if cut:
            return False
    if cut < 0 or any(sizes.get(name, size) != size for name, size in found.items()):
        return False
    sizes.update(found)
    return True


def _check_mask(entry: LossEntry, tensors: Tensors, mask: Tensor | None) -> None:
    if mask is None:
        return
    first = tuple(tensors[0].shape)
    shape = first if entry.family.gives == "element" or entry.family.masks == "features" else first[:1]
    if mask.dtype != torch.bool or tuple(mask.shape) != shape:
        raise BadInput(expected=f"a boolean mask of shape {shape}", found=f"{mask.dtype} of {tuple(mask.shape)}")


def check_options(entry: LossEntry, settings: Mapping[str, Any]) -> None:
    """Refuse an option that the loss does not have, or a value that it does not take."""
    for name, value in settings.items():
        _check_option(entry, name, value)


def _check_option(entry: LossEntry, name: str, value: Any) -> None:
    if name in entry.options and value not in entry.options[name].range:
        found = f"{value:g}" if isinstance(value, float) else repr(value)
        raise BadInput(expected=f"{name} of {entry.name} in {entry.options[name].range}", found=found)
    if name not in entry.options and name not in entry.parameters and name not in entry.extras:
        known = ", ".join([*entry.options, *entry.parameters, *entry.extras]) or "none"
        raise BadInput(expected=f"an option of {entry.name} (it has: {known})", found=repr(name))


def _check_domain(entry: LossEntry, target: Tensor) -> None:
    if target.numel() == 0:
        return
    # Probabilities over classes, where a loss takes them in place of labels.
    domain = Domain.UNIT if entry.domain is Domain.LABELS and target.is_floating_point() else entry.domain
    target = target.long() if target.dtype == torch.bool else target
    expected = f"a target of {domain.value} for {entry.name}"
    low, high = (float(end) for end in target.detach().aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        bad = int((~target.isfinite()).sum())
        raise BadInput(expected=expected, found=f"{bad} NaN or infinite", remedy="Pass mask= to leave values out.")
    whole = not domain.whole or bool((target == target.round()).all())
    interval = domain.interval
    on_end = domain.open and (low == interval.low or high == interval.high)
    no_sign = domain is Domain.SIGNS and bool((target == 0).any())
    if on_end or no_sign or not (whole and interval.contains(Interval(low, high))):
        kind = " with 0 among them" if no_sign else "" if whole else " with values that are not integers"
        raise BadInput(expected=expected, found=f"values in [{low:g}, {high:g}]{kind}")


def check_weight(values: Tensor, weight: Tensor | None) -> None:
    """Refuse a weight that would broadcast to another shape than that of the values."""
    if weight is None:
        return
    sizes = zip(reversed(weight.shape), reversed(values.shape), strict=False)
    if weight.dim() > values.dim() or any(own not in (1, size) for own, size in sizes):
        raise BadInput(
            expected=f"a weight that broadcasts to the values, {tuple(values.shape)}", found=f"{tuple(weight.shape)}"
        )
