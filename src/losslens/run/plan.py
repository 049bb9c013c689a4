"""The plan of a comparison: which candidates fit the data, which do not and why, and every trial to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from losslens.activations import ACTIVATIONS
from losslens.data.gate import Observation
from losslens.losses import LOSSES, LossEntry
from losslens.models.catalogue import MODELS
from losslens.models.spec import BASELINES, ModelSpec
from losslens.run.composition import (
    Candidate,
    Shared,
    check_used,
    misfit,
    network_of,
    objective_of,
    training_of,
)
from losslens.run.methods import Methods, method_trials
from losslens.run.spec import SplitSpec, TransformSpec, TrialSpec
from losslens.vocabulary.errors import BadInput, unknown
from losslens.vocabulary.quantities import Domain

FREE_LINKS = tuple(name for name, entry in ACTIVATIONS.items() if entry.output)
_NATURAL_LINK = {Domain.NON_NEGATIVE: "softplus", Domain.UNIT: "sigmoid", Domain.BINARY: "sigmoid"}
_PCA_PATH_LOSSES = ("mse",)


@dataclass(frozen=True)
class Refused:
    """A pair that does not fit the data, with the reason in one sentence."""

    candidate: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """Everything that will be run on some data."""

    candidates: tuple[Candidate, ...]
    refused: tuple[Refused, ...]
    left_out: tuple[str, ...]
    trials: tuple[TrialSpec, ...]


def plan(
    seen: Observation,
    shared: Shared,
    *,
    content_hash: str,
    losses: Sequence[str],
    models: Sequence[str],
    repeats: int,
    seed: int,
    sizes: Sequence[int] = (),
    methods: Methods | None = None,
) -> Plan:
    """Choose candidates for what the gate saw, or check those that were asked for; list all trials.

    With ``methods`` there are autoencoders beside them only if losses or models are asked for.
    With ``sizes`` every candidate is planned with each of these code sizes, else with that of the shared network.
    Trials are ordered by repeat, so that whatever a time limit leaves undone, complete repeats exist.
    Raises :class:`BadInput` if a loss asked for is unknown or none of them fits, or a kind of model cannot be had.
    """
    asked = dict.fromkeys(_pair_named(text) for text in losses)  # first: this finds losses of the user's own
    fitting, refused = sort_pairs(seen)
    candidates: list[Candidate] = []
    misfits: list[Refused] = []
    if losses or models or methods is None:
        chosen = _asked(asked, fitting, refused) if losses else _usual(fitting, seen)
        candidates, misfits = _possible([*_in_models(chosen, models, bool(losses))], shared)
    each = [_with_code(shared, size) for size in sizes] or [shared]
    specs = [
        *_baselines([own.model.code for own in each]),
        *(_specs(candidate, own, seen) for own in each for candidate in candidates),
        *(method_trials(methods, shared.model, seen, [own.model.code for own in each]) if methods else ()),
    ]
    common = {"data": content_hash, "transform": transform_of(seen), "seed": seed}
    trials = [
        TrialSpec(split=SplitSpec(repeat=repeat, seed=seed), **common, **spec)
        for repeat in range(repeats)
        for spec in specs
    ]
    pairs = {(candidate.loss, candidate.link) for candidate in candidates}
    left_out = [pair(loss, link) for loss, link in fitting if candidates and (loss, link) not in pairs]
    return Plan(tuple(candidates), (*refused, *misfits), tuple(left_out), tuple(trials))


def _possible(wanted: Sequence[Candidate], shared: Shared) -> tuple[list[Candidate], list[Refused]]:
    """The candidates that can be had, and the others with the reason."""
    check_used(shared, wanted)
    misfits = [Refused(each.key, reason) for each in wanted if (reason := misfit(each, shared))]
    possible = [each for each in wanted if not misfit(each, shared)]
    if not possible:
        raise BadInput(
            expected="at least one loss that its kind of model allows",
            found="; ".join(f"{each.candidate}: {each.reason}" for each in misfits),
        )
    return possible, misfits


def _with_code(shared: Shared, size: int) -> Shared:
    return replace(shared, model=shared.model.model_copy(update={"code": size}))


def _baselines(sizes: Sequence[int]) -> list[dict[str, Any]]:
    own = {kind: sizes if kind == "pca" else [1] for kind in BASELINES}
    return [{"model": ModelSpec(kind=kind, hidden=(), code=size)} for kind, many in own.items() for size in many]


def _specs(candidate: Candidate, shared: Shared, seen: Observation) -> dict[str, Any]:
    return {
        "model": network_of(candidate, shared),
        "objective": objective_of(candidate, shared),
        "training": training_of(candidate, shared, seen),
    }


def transform_of(seen: Observation) -> TransformSpec:
    """The preprocessing that the kind of data asks for."""
    bounded = seen.kind.transform == "unit_scale"
    return TransformSpec(name=seen.kind.transform, cap=seen.cap if bounded else None)


def sort_pairs(seen: Observation) -> tuple[list[tuple[str, str]], list[Refused]]:
    """All pairs of loss and output activation: those that fit the data, and the others with the reason."""
    misfits = {link: _link_misfit(link, seen) for link in FREE_LINKS}
    refused = [Refused(_any_with(link), reason) for link, reason in misfits.items() if reason]
    fitting = []
    for entry in (entry for entry in LOSSES.values() if entry.reconstructs):
        reason = _loss_misfit(entry, seen)
        if reason:
            refused.append(Refused(entry.name, reason))
        else:
            links = (entry.link,) if entry.link else tuple(link for link in FREE_LINKS if not misfits[link])
            fitting += [(entry.name, link) for link in links]
    return fitting, refused


def _loss_misfit(entry: LossEntry, seen: Observation) -> str:
    name = entry.name.replace("_", " ")
    if entry.domain is Domain.COUNTS and not seen.kind.counts:
        return f"{name} needs counts: {_why_no_counts(seen)}"
    if entry.domain is Domain.UNIT and seen.kind.domain is Domain.BINARY:
        return f"{name} is a density on [0, 1]; on data that are only zeros and ones it grows without bound"
    if entry.domain is Domain.BINARY and seen.kind.domain is Domain.UNIT:
        return f"{name} needs zeros and ones: for values between them it is not a likelihood (continuous_bernoulli is)"
    if entry.domain is not Domain.COUNTS and not entry.domain.accepts(seen.kind.domain):
        return f"{name} needs {entry.domain.value}: {_reach(seen)}"
    misfit = entry.family.misfit(seen.features) if entry.family.misfit else ""
    return f"{name} needs {misfit}" if misfit else ""


def _why_no_counts(seen: Observation) -> str:
    if seen.minimum < 0:
        return f"values go down to {seen.minimum:.4g}"
    if seen.share_integers < 1:
        return f"{100 * (1 - seen.share_integers):.0f} % of the values are not integers"
    return f"the data are {seen.kind.name}"


def _reach(seen: Observation) -> str:
    return f"the data ({seen.kind.name}) are {seen.kind.domain.value} in the working space"


def _link_misfit(link: str, seen: Observation) -> str:
    reach = ACTIVATIONS[link].range
    need = seen.kind.domain.interval
    return "" if reach.contains(need) else f"it lies in {reach}, but {_reach(seen)}"


def natural_output(loss: str, seen: Observation) -> str:
    """The output of a loss: its own, or that whose range is just the domain of the data."""
    return LOSSES[loss].link or _NATURAL_LINK.get(seen.kind.domain, "linear")


def _usual(fitting: Sequence[tuple[str, str]], seen: Observation) -> list[Candidate]:
    """Every fitting loss that is a candidate unasked, once; mse also with the activation natural to the domain."""
    natural = _NATURAL_LINK.get(seen.kind.domain)
    return [
        Candidate(loss, link)
        for loss, link in fitting
        if LOSSES[loss].candidate and (LOSSES[loss].link or link == "linear" or (loss == "mse" and link == natural))
    ]


def _asked(
    pairs: Iterable[tuple[str, str]], fitting: Sequence[tuple[str, str]], refused: Sequence[Refused]
) -> list[Candidate]:
    """The pairs asked for that fit; those that do not are among the refused."""
    chosen = [Candidate(*pair) for pair in pairs if pair in fitting]
    if not chosen:
        misfits = [r for r in refused if any(r.candidate in (loss, _any_with(link)) for loss, link in pairs)]
        raise BadInput(
            expected="at least one loss that fits the data",
            found="; ".join(f"{misfit.candidate}: {misfit.reason}" for misfit in misfits),
            remedy="Leave --loss out to get those that fit.",
        )
    return chosen


def _pair_named(text: str) -> tuple[str, str]:
    name, _, link = text.partition("+")
    entry = LOSSES[name]
    if not entry.reconstructs:
        raise BadInput(
            expected="a loss between an output and the data it should reproduce",
            found=f"{entry.name}, which takes {entry.family.signature}",
            remedy="Those are pointwise, profile, image or likelihood (binary cross-entropy of data is bernoulli).",
        )
    if link and entry.link and link != entry.link:
        raise BadInput(
            expected=f"{entry.name} alone, as its output is always {entry.link}",
            found=repr(text),
            remedy=f"Use --loss {entry.name}.",
        )
    if link and link not in FREE_LINKS:
        raise unknown("output activation", link, FREE_LINKS)
    return entry.name, link or entry.link or "linear"


def _any_with(link: str) -> str:
    return f"any loss with a {link} output"


def _in_models(chosen: Sequence[Candidate], models: Sequence[str], asked: bool) -> Iterable[Candidate]:
    """Candidates in the models asked for; by default plain, and the PCA path for the losses it is meant for."""
    kinds = dict.fromkeys(MODELS[name].name for name in models)
    yield from (Candidate(c.loss, c.link, kind) for kind in kinds for c in chosen)
    if not models:
        yield from chosen
        if not asked:
            yield from (
                Candidate(c.loss, c.link, "pca_path")
                for c in chosen
                if c.loss in _PCA_PATH_LOSSES and c.link == "linear"
            )


def pair(loss: str, link: str) -> str:
    """How a loss with an output activation is asked for: by its name alone, unless it has another output than usual."""
    return loss if LOSSES[loss].link or link == "linear" else f"{loss}+{link}"


def simplicity(candidate: Candidate) -> tuple[int, ...]:
    """Sorts the simplest first: fewer parts in the model, learned parameters, heads, options, no squashing."""
    entry = LOSSES[candidate.loss]
    return (
        list(MODELS).index(candidate.model),
        len(entry.parameters),
        int(entry.scale_invariant),
        len(entry.options),
        int(candidate.link != (entry.link or "linear")),
        list(LOSSES).index(entry.name),
    )
