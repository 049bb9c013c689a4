"""Families of losses: what a member computes, and how weights, masks and reduction apply to all of them.

A member of a family is a plain function from the family's tensors (mostly an output and a target) to one value
per element, per sample or per batch. Everything else (weights and reduction; in ``masks`` missing values; in
``checks`` shapes and domains) is written once. The scale contract also lives here: with ``reduction="mean"`` a
pointwise loss is averaged over features, a likelihood is summed over them (nats per sample), and both are averaged
over samples.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from losslens.losses import sweeps
from losslens.losses.checks import check, check_weight
from losslens.losses.masks import entry_values, weight_of_present
from losslens.losses.precision import alike, rounded
from losslens.vocabulary.catalogue import Catalogue
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain, Option, Range

Reduction = Literal["none", "mean", "sum"]
Loss = Callable[..., Tensor]
Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Argument:
    """A tensor that every loss of a family takes.

    ``shape`` names the dimensions, ``...`` any number of them; equal names are equal sizes, and ``|`` separates
    alternatives, the same for arguments that have the same. A ``target`` lies in the domain of the loss.
    """

    name: str
    shape: str = "..."
    target: bool = False


@dataclass(frozen=True)
class Family:
    """A group of losses with one signature.

    ``mean`` reduces values, of shape (batch, features), (batch,) or (), to the scalar of ``reduction="mean"``.
    ``masks`` says what a mask hides: values (elements, or samples), features within a sample, or results: samples that
    are computed all the same, as they hang together in autograd's graph. Members of a
    family that ``reconstructs`` compare an output with the data it should reproduce; ``nats``: they are negative
    log-likelihoods. ``misfit`` says what a row of that many features lacks, where not any number of them will do;
    ``sweeps`` the paths along which a member is drawn.
    """

    name: str
    gives: Literal["element", "sample", "batch"]
    arguments: tuple[Argument, ...]
    mean: Callable[[Tensor, Tensor | None], Tensor]
    masks: Literal["values", "features", "results"] = "values"
    reconstructs: bool = False
    nats: bool = False
    misfit: Callable[[int], str] | None = None
    sweeps: Callable[[LossEntry], sweeps.Sweeps] = sweeps.mixtures

    @property
    def signature(self) -> str:
        """The tensors in, and what one value speaks of: ``(output, target) -> element``."""
        return f"({', '.join(argument.name for argument in self.arguments)}) -> {self.gives}"


@dataclass(frozen=True)
class Parameter:
    """A positive parameter of a distribution, learned (as its logarithm) together with the network."""

    initial: float
    per: Literal["all", "feature"]
    range: Range


@dataclass(frozen=True)
class LossEntry:
    """The facts about one loss; every list, option, plan, test and page is derived from it.

    - ``use`` and ``failure``: when to take it, and how it goes wrong.
    - ``candidate``: a comparison tries it unasked on data that it fits.
    - ``independent``: a sample's value depends on no other sample.
    - ``stops``: arguments and parameters that no gradient reaches, or not the whole derivative, by design.
    - ``extras``: keyword arguments that are neither options nor learned, such as class weights, with defaults.
    - ``content``: the hash of the code of a loss that is not the package's own.
    - ``graph``: its tensors hang together in autograd's graph, and cannot be replaced by others of equal value.
    - ``sizes``: what each value counts for in a mean, where that is not one.

    >>> entry = LOSSES["huber"]
    >>> entry.elicits, entry.minimum, entry.family.signature
    ('between mean and median', 0.0, '(output, target) -> element')
    >>> entry.options["delta"].default
    1.0
    """

    name: str
    family: Family
    element: Loss
    units: str
    reference: str
    use: str
    failure: str
    elicits: str = ""
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
    independent: bool = True
    stops: tuple[str, ...] = ()
    extras: Mapping[str, Any] = field(default_factory=dict)
    graph: bool = False
    sizes: Loss | None = None
    content: str = ""

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
        return self.family.nats

    @property
    def reconstructs(self) -> bool:
        """Whether it compares an output with the data it should reproduce, so that it can train an autoencoder."""
        return self.family.reconstructs


def mean_of_values(values: Tensor, weight: Tensor | None) -> Tensor:
    """The weighted mean; zero where all weights are."""
    if weight is None:
        return values.mean()
    return (values * weight).sum() / weight.expand_as(values).sum().clamp_min(torch.finfo(values.dtype).tiny)


def mean_of_sample_sums(values: Tensor, weight: Tensor | None) -> Tensor:
    """The mean over samples of sums over features."""
    return (values if weight is None else values * weight).sum(-1).mean()


_PAIR = (Argument("output"), Argument("target", target=True))
_ROWS = (Argument("output", "... features"), Argument("target", "... features", target=True))
POINTWISE = Family("pointwise", "element", _PAIR, mean_of_values, reconstructs=True, sweeps=sweeps.elements)
PROFILE = Family(
    "profile", "sample", _ROWS, mean_of_values, masks="features", reconstructs=True, sweeps=sweeps.profiles
)
LIKELIHOOD = Family(
    "likelihood", "element", _PAIR, mean_of_sample_sums, reconstructs=True, nats=True, sweeps=sweeps.elements
)
PROFILE_LIKELIHOOD = Family(
    "profile likelihood",
    "sample",
    _ROWS,
    mean_of_values,
    masks="features",
    reconstructs=True,
    nats=True,
    sweeps=sweeps.profiles,
)

LOSSES: Catalogue[LossEntry] = Catalogue("loss", find="losslens.losses.imported:find")


def loss(family: Family, **facts: Any) -> Callable[[Loss], Loss]:
    """Enter a function into the catalogue and give it ``weight``, ``mask`` and ``reduction``.

    Keyword-only arguments annotated ``Annotated[float, Range(...)]`` or ``Annotated[..., Choice(...)]`` become
    options, those annotated ``Annotated[Tensor, Parameter(...)]`` learned parameters, all others extras.
    """

    def enter(function: Loss) -> Loss:
        entry = LossEntry(function.__name__, family, function, **_read_signature(family, function), **facts)
        return publish(LOSSES.add(entry))

    return enter


def _read_signature(family: Family, function: Loss) -> dict[str, Any]:
    """Options, learned parameters and extras: the keyword arguments of a loss, by their annotation."""
    found: dict[str, dict[str, Any]] = {"options": {}, "parameters": {}, "extras": {}}
    hints = get_type_hints(function, include_extras=True)
    known = {"mask", *(argument.name for argument in family.arguments)}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in known:
            continue
        fact = get_args(hints[name])[1] if get_origin(hints[name]) is Annotated else None
        if isinstance(fact, Parameter):
            found["parameters"][name] = fact
        elif fact is None:
            found["extras"][name] = parameter.default
        else:
            found["options"][name] = Option(parameter.default, fact)
    return {what: MappingProxyType(of) for what, of in found.items()}


def publish(entry: LossEntry) -> Loss:
    """The public form of a loss: checked, masked, weighted and reduced by its family.

    ``weight`` broadcasts to the values: (batch, 1) or (features,) for elements, (batch,) for samples. A weighted mean
    is divided by the weights, as that of ``torch.nn.functional.mse_loss`` is; one of sums over features is not.
    """
    return entry.function


def _public(entry: LossEntry) -> Loss:
    def public(
        *tensors: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction = "mean",
        **settings: Any,
    ) -> Tensor:
        tensors, settings = _taken(entry, tensors, settings)
        check(entry, tensors, mask, settings)
        values = entry_values(entry, tensors, mask, settings)
        check_weight(values, weight)
        sizes = value_sizes(entry, tensors, settings)
        present = weight_of_present(entry.family, values, weight, mask)
        return rounded(reduce(entry.family, values, present, reduction, sizes), tensors)

    public.__name__ = public.__qualname__ = entry.name
    public.__module__ = entry.element.__module__
    public.__doc__ = entry.element.__doc__
    public.__signature__ = _public_signature(entry.element)  # type: ignore[attr-defined]
    public.entry = entry  # type: ignore[attr-defined]
    return public


def _taken(entry: LossEntry, tensors: Tensors, settings: dict[str, Any]) -> tuple[Tensors, dict[str, Any]]:
    """The family's tensors, given by position or by name, and what is left."""
    names = [argument.name for argument in entry.family.arguments]
    by_name = {name: settings[name] for name in names[len(tensors) :] if name in settings}
    if len(tensors) + len(by_name) != len(names):
        raise TypeError(f"{entry.name} takes {', '.join(names)}; {len(tensors) + len(by_name)} were given")
    rest = {name: value for name, value in settings.items() if name not in by_name}
    return (*tensors, *(by_name[name] for name in names[len(tensors) :])), rest


def _public_signature(function: Loss) -> inspect.Signature:
    own = inspect.signature(function)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in (("weight", None), ("mask", None), ("reduction", "mean"))
    ]
    return own.replace(parameters=[*(p for p in own.parameters.values() if p.name != "mask"), *common])


def value_sizes(entry: LossEntry, tensors: Tensors, settings: Mapping[str, Any]) -> Tensor | None:
    """What each value counts for in a mean, where that is not one."""
    if entry.sizes is None:
        return None
    tensors, settings = alike(entry, tensors, settings)
    return entry.sizes(*tensors, **settings)


def reduce(
    family: Family, values: Tensor, weight: Tensor | None, reduction: Reduction, sizes: Tensor | None = None
) -> Tensor:
    """Apply weights and the reduction that the family's scale contract asks for."""
    if reduction == "mean" and sizes is None:
        return family.mean(values, weight)
    weighted = values if weight is None else values * weight
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    if reduction == "mean" and sizes is not None:
        total = (sizes if weight is None else sizes * weight).sum()
        return weighted.sum() / total.clamp_min(torch.finfo(values.dtype).tiny)
    raise BadInput(expected="reduction 'none', 'mean' or 'sum'", found=repr(reduction))
