"""Families of losses: what a member computes, and how weights, masks and reduction apply to all of them.

A member of a family is a plain function from an output and a target to one value per element or per
sample. Everything else (checking shapes and domain, missing values, weights, reduction) is written here,
once. The scale contract also lives here: with ``reduction="mean"`` a pointwise loss is averaged over
features, a likelihood is summed over them (nats per sample), and both are averaged over samples.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from losslens.vocabulary.catalogue import Catalogue
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain, Interval, Range

Reduction = Literal["none", "mean", "sum"]
Loss = Callable[..., Tensor]


@dataclass(frozen=True)
class Family:
    """A group of losses with one signature.

    ``mean`` reduces elements, of shape (batch, features) or (batch,), to the scalar of ``reduction="mean"``.
    """

    name: str
    gives: Literal["element", "sample"]
    signature: str
    mean: Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Option:
    """A number that shapes a loss, fixed during training."""

    default: float
    range: Range


@dataclass(frozen=True)
class Parameter:
    """A positive parameter of a distribution, learned (as its logarithm) together with the network."""

    initial: float
    per: Literal["all", "feature"]
    range: Range


@dataclass(frozen=True)
class LossEntry:
    """The facts about one loss; every list, option, plan, test and page is derived from it.

    ``candidate``: a comparison tries it unasked on data that it fits.
    """

    name: str
    family: Family
    element: Loss
    units: str
    elicits: str
    reference: str
    minimum: float | None = 0.0
    domain: Domain = Domain.REAL
    link: str | None = None
    smoothness: Literal["C0", "C1", "C-infinity"] = "C-infinity"
    convex: bool = True
    scale_invariant: bool = False
    shift_invariant: bool = False
    aliases: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    prediction: Loss | None = None
    log_laplace: Loss | None = None
    torch_line: str = ""
    candidate: bool = False

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (self.element.__doc__ or "").strip().split("\n")[0]

    @cached_property
    def function(self) -> Loss:
        """The public form of the loss, always the same object, so that it pickles by its name."""
        return _public(self)

    @property
    def is_likelihood(self) -> bool:
        """Whether values are negative log-likelihoods in nats."""
        return self.family in (LIKELIHOOD, PROFILE_LIKELIHOOD)


def _mean_of_elements(values: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return values.mean()
    return (values * weight).sum() / weight.expand_as(values).sum().clamp_min(torch.finfo(values.dtype).tiny)


def _mean_of_sample_sums(values: Tensor, weight: Tensor | None) -> Tensor:
    return (values if weight is None else values * weight).sum(-1).mean()


POINTWISE = Family("pointwise", "element", "(output, target) -> element", _mean_of_elements)
PROFILE = Family("profile", "sample", "(output, target) -> sample", _mean_of_elements)
LIKELIHOOD = Family("likelihood", "element", "(parameters, target) -> element, in nats", _mean_of_sample_sums)
PROFILE_LIKELIHOOD = Family(
    "profile likelihood", "sample", "(parameters, target) -> sample, in nats", _mean_of_elements
)

LOSSES: Catalogue[LossEntry] = Catalogue("loss")


def loss(family: Family, **facts: Any) -> Callable[[Loss], Loss]:
    """Enter a function into the catalogue and give it ``weight``, ``mask`` and ``reduction``.

    Keyword-only arguments annotated ``Annotated[float, Range(...)]`` become options,
    those annotated ``Annotated[Tensor, Parameter(...)]`` learned parameters.
    """

    def enter(function: Loss) -> Loss:
        options, parameters = _read_signature(function)
        entry = LossEntry(function.__name__, family, function, options=options, parameters=parameters, **facts)
        return publish(LOSSES.add(entry))

    return enter


def _read_signature(function: Loss) -> tuple[Mapping[str, Option], Mapping[str, Parameter]]:
    options: dict[str, Option] = {}
    parameters: dict[str, Parameter] = {}
    defaults = inspect.signature(function).parameters
    for name, hint in get_type_hints(function, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        fact = get_args(hint)[1]
        if isinstance(fact, Parameter):
            parameters[name] = fact
        else:
            options[name] = Option(defaults[name].default, fact)
    return MappingProxyType(options), MappingProxyType(parameters)


def publish(entry: LossEntry) -> Loss:
    """The public form of a loss: checked, masked, weighted and reduced by its family.

    ``weight`` broadcasts to the values: (batch, 1) or (features,) for elements, (batch,) for samples.
    """
    return entry.function


def _public(entry: LossEntry) -> Loss:
    def public(
        output: Tensor,
        target: Tensor,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction = "mean",
        **settings: Any,
    ) -> Tensor:
        check(entry, output, target, mask, settings)
        values = entry_values(entry, output, target, mask, settings)
        _check_weight(values, weight)
        return reduce(entry.family, values, _combine(entry.family, values, weight, mask), reduction)

    public.__name__ = public.__qualname__ = entry.name
    public.__module__ = entry.element.__module__
    public.__doc__ = entry.element.__doc__
    public.__signature__ = _public_signature(entry.element)  # type: ignore[attr-defined]
    public.entry = entry  # type: ignore[attr-defined]
    return public


def _public_signature(function: Loss) -> inspect.Signature:
    own = inspect.signature(function)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in (("weight", None), ("mask", None), ("reduction", "mean"))
    ]
    return own.replace(parameters=[*(p for p in own.parameters.values() if p.name != "mask"), *common])


def entry_values(
    entry: LossEntry, output: Tensor, target: Tensor, mask: Tensor | None, settings: Mapping[str, Any]
) -> Tensor:
    """One value per element or per sample, before weights and reduction; masked entries count as absent."""
    if mask is None:
        return entry.element(output, target, **settings)
    if entry.family.gives == "sample":
        return entry.element(output, target, mask=mask, **settings)
    neutral = 1.0 if entry.link == "softmax" else 0.0
    output, target = torch.where(mask, output, neutral), torch.where(mask, target, 0.0)
    return torch.where(mask, entry.element(output, target, **settings), 0.0)


def reduce(family: Family, values: Tensor, weight: Tensor | None, reduction: Reduction) -> Tensor:
    """Apply weights and the reduction that the family's scale contract asks for."""
    if reduction == "mean":
        return family.mean(values, weight)
    weighted = values if weight is None else values * weight
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    raise BadInput(expected="reduction 'none', 'mean' or 'sum'", found=repr(reduction))


def _combine(family: Family, values: Tensor, weight: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Absent elements, and samples of which nothing is present, weigh nothing in a mean."""
    if mask is None:
        return weight
    present = (mask.any(-1) if family.gives == "sample" else mask).to(values.dtype)
    return present if weight is None else weight * present


def check(entry: LossEntry, output: Tensor, target: Tensor, mask: Tensor | None, settings: Mapping[str, Any]) -> None:
    """Refuse what the loss is not defined for, naming what was expected and what was found."""
    if output.shape != target.shape:
        raise BadInput(
            expected=f"output and target of one shape for {entry.name}",
            found=f"{tuple(output.shape)} and {tuple(target.shape)}",
            remedy="Broadcasting would average over pairs that do not belong together.",
        )
    if mask is not None and (mask.dtype != torch.bool or mask.shape != target.shape):
        raise BadInput(
            expected=f"a boolean mask of shape {tuple(target.shape)}", found=f"{mask.dtype} of {tuple(mask.shape)}"
        )
    for name, value in settings.items():
        _check_option(entry, name, value)
    if not torch.compiler.is_compiling():
        _check_domain(entry, target if mask is None else target[mask])


def _check_option(entry: LossEntry, name: str, value: Any) -> None:
    if name in entry.options and value not in entry.options[name].range:
        raise BadInput(expected=f"{name} of {entry.name} in {entry.options[name].range}", found=f"{value:g}")
    if name not in entry.options and name not in entry.parameters:
        known = ", ".join([*entry.options, *entry.parameters]) or "none"
        raise BadInput(expected=f"an option of {entry.name} (it has: {known})", found=repr(name))


def _check_domain(entry: LossEntry, target: Tensor) -> None:
    if target.numel() == 0:
        return
    expected = f"a target of {entry.domain.value} for {entry.name}"
    low, high = (float(end) for end in target.detach().aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        bad = int((~target.isfinite()).sum())
        raise BadInput(expected=expected, found=f"{bad} NaN or infinite", remedy="Pass mask= to leave values out.")
    whole = not entry.domain.whole or bool((target == target.round()).all())
    interval = entry.domain.interval
    on_end = entry.domain.open and (low == interval.low or high == interval.high)
    if on_end or not (whole and interval.contains(Interval(low, high))):
        kind = "" if whole else " with values that are not integers"
        raise BadInput(expected=expected, found=f"values in [{low:g}, {high:g}]{kind}")


def _check_weight(values: Tensor, weight: Tensor | None) -> None:
    if weight is None:
        return
    sizes = zip(reversed(weight.shape), reversed(values.shape), strict=False)
    if weight.dim() > values.dim() or any(own not in (1, size) for own, size in sizes):
        raise BadInput(
            expected=f"a weight that broadcasts to the values, {tuple(values.shape)}", found=f"{tuple(weight.shape)}"
        )
