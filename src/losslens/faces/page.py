"""The page of one member of the catalogue, as plain data: what it is, its facts, its curve, how to call it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from losslens.activations import ACTIVATIONS, ActivationEntry
from losslens.losses import LOSSES, LossEntry
from losslens.vocabulary.errors import unknown

POINTS = 61
REACH = 3.0


@dataclass(frozen=True)
class Curve:
    """Values and slopes over equal steps of ``x`` from -3 to 3."""

    x: str
    values: tuple[float, ...]
    slopes: tuple[float, ...]


@dataclass(frozen=True)
class Page:
    """Everything there is to say about a loss or an activation."""

    name: str
    kind: str
    summary: str
    formula: str
    text: str
    facts: dict[str, str]
    example: str
    pytorch: str
    curve: Curve | None


def page(name: str) -> Page:
    """The page of a loss or an activation, by its name or an alias.

    Raises:
        UnknownName: neither catalogue knows it.

    >>> page("huber").facts["elicits"]
    'between mean and median'
    """
    if name in LOSSES or ":" in name:
        return _of_loss(LOSSES[name])
    if name in ACTIVATIONS:
        return _of_activation(ACTIVATIONS[name])
    raise unknown("loss or activation", name, [*LOSSES, *ACTIVATIONS])


def _of_loss(entry: LossEntry) -> Page:
    formula, text, example = _parts(entry.function.__doc__ or "")
    facts = {
        "family": f"{entry.family.name} {entry.family.signature}",
        "also called": ", ".join(entry.aliases),
        "target": entry.domain.value if any(argument.target for argument in entry.family.arguments) else "",
        "output": {None: "any", "log_softmax": "log-probabilities"}.get(entry.link, f"through {entry.link}"),
        "least value": "none" if entry.minimum is None else f"{entry.minimum:g}",
        "elicits": entry.elicits,
        "units": entry.units,
        "smoothness": entry.smoothness,
        "convex in the output": _yes(entry.convex) if entry.reconstructs else "",
        "blind to": " and ".join(
            what for what, is_so in (("scale", entry.scale_invariant), ("shift", entry.shift_invariant)) if is_so
        ),
        "options": "; ".join(f"{n} = {o.default} in {o.range}" for n, o in entry.options.items()),
        "learned": "; ".join(f"{n}, from {p.initial:g}, one per {p.per}" for n, p in entry.parameters.items()),
        "also takes": ", ".join(entry.extras),
        "no gradient by": ", ".join(entry.stops),
        "tried unasked by compare": _yes(entry.candidate) if entry.reconstructs else "",
        "source": entry.reference,
    }
    return Page(
        entry.name, "loss", entry.summary, formula, text, _told(facts), example, _line(entry), _loss_curve(entry)
    )


def _of_activation(entry: ActivationEntry) -> Page:
    facts = {
        "also called": ", ".join(entry.aliases),
        "range": str(entry.range),
        "monotone": _yes(entry.monotone),
        "zero-centred": _yes(entry.zero_centred),
        "bounded": _yes(entry.bounded),
        "smoothness": entry.smoothness,
        "kinks at": ", ".join(f"{kink:g}" for kink in entry.kinks),
        "saturates": {"none": "at neither end", "both": "at both ends"}.get(
            entry.saturates, f"to the {entry.saturates}"
        ),
        "can die": _yes(entry.can_die),
        "largest slope": f"{entry.lipschitz:g}" if entry.lipschitz else "",
        "gain of initial weights": f"{entry.gain:g}" if entry.gain else "",
        "gain in PyTorch": f"{entry.pytorch_gain:g} by torch.nn.init.calculate_gain, another rule"
        if entry.pytorch_gain
        else "",
        "of use as an output": _yes(entry.output),
    } | {
        name: str(getattr(entry, name, "")) for name in ("derivative", "initialisation", "use", "failure", "reference")
    }
    curve = _curve("x", entry.function)
    return Page(entry.name, "activation", entry.summary, entry.formula, "", _told(facts), entry.example, "", curve)


def _parts(docstring: str) -> tuple[str, str, str]:
    """Formula, prose and example of a docstring whose first line is the summary."""
    formula, text, example = [], [], []
    for block in inspect.cleandoc(docstring).split("\n\n")[1:]:
        if block.startswith(".. math::"):
            formula.append(" ".join(block.removeprefix(".. math::").split()))
        elif block.startswith(">>>"):
            example.append(block)
        else:
            text.append(" ".join(block.split()))
    return "\n".join(formula), "\n\n".join(text), "\n".join(example)


def _line(entry: LossEntry) -> str:
    options = {name: option.default for name, option in entry.options.items()}
    derived = {"rest": 1.0 - options["mix"]} if "mix" in options else {}
    derived |= {"b": abs(options["shape"] - 2.0)} if "shape" in options else {}
    return entry.torch_line.format(**options, **derived)


def _loss_curve(entry: LossEntry) -> Curve | None:
    """Of losses of the error alone: others have no single picture."""
    if not (entry.reconstructs and entry.family.gives == "element" and entry.link is None):
        return None
    settings: dict[str, Any] = {name: option.default for name, option in entry.options.items()}
    settings |= {name: torch.tensor(fact.initial, dtype=torch.float64) for name, fact in entry.parameters.items()}
    return _curve("output - target", lambda error: entry.element(error, torch.zeros_like(error), **settings))


def _curve(x: str, function: Callable[[Tensor], Tensor]) -> Curve:
    at = torch.linspace(-REACH, REACH, POINTS, dtype=torch.float64).requires_grad_()
    values = function(at)
    (slopes,) = torch.autograd.grad(values.sum(), at)
    return Curve(x, tuple(round(v, 6) for v in values.tolist()), tuple(round(s, 6) for s in slopes.tolist()))


def _told(facts: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value}


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
