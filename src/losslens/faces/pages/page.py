"""The page of one member of the catalogue, as plain data: what it is, its facts, its curves, how to call it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from losslens.activations import ACTIVATIONS, ActivationEntry
from losslens.faces.pages import curves
from losslens.faces.pages.prose import parts
from losslens.losses import LOSSES, LossEntry
from losslens.vocabulary.errors import unknown


@dataclass(frozen=True)
class Page:
    """Everything there is to say about a loss or an activation; formulas are LaTeX."""

    name: str
    kind: str
    family: str
    summary: str
    formula: str
    derivative: str
    text: str
    use: str
    failure: str
    facts: dict[str, str]
    example: str
    pytorch: str
    curves: tuple[curves.Curves, ...]


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
    told = parts(entry.element.__doc__ or "")
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
        name=entry.name,
        kind="loss",
        family=entry.family.name,
        summary=entry.summary,
        formula=told.formula,
        derivative="",
        text=told.text,
        use=entry.use,
        failure=entry.failure,
        facts=_told(facts),
        example=told.example,
        pytorch=_line(entry),
        curves=curves.of_loss(entry),
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
        "options": "; ".join(f"{n} = {o.default} in {o.range}" for n, o in entry.options.items()),
        "learned": ", ".join(entry.learned),
        "gain of initial weights": f"{entry.gain:g}" if entry.gain else "",
        "gain in PyTorch": f"{entry.pytorch_gain:g} by torch.nn.init.calculate_gain, another rule"
        if entry.pytorch_gain
        else "",
        "initial weights": entry.initialisation,
        "of use as an output": _yes(entry.output),
        "source": entry.reference,
    }
    return Page(
        name=entry.name,
        kind="activation",
        family="activation",
        summary=entry.summary,
        formula=_typeset(entry.formula, entry),
        derivative=_typeset(entry.derivative, entry),
        text="",
        use=entry.use,
        failure=entry.failure,
        facts=_told(facts),
        example=entry.example,
        pytorch="",
        curves=(curves.of_activation(entry),),
    )


_GREEK = ("alpha", "beta", "gamma", "delta", "theta", "lambda", "omega")


def _typeset(formula: str, entry: ActivationEntry) -> str:
    r"""The names of options, which are symbols of the formula, as letters: Greek where they are named so.

    >>> _typeset(r"alpha\,(e^{x / alpha} - 1)", ACTIVATIONS["celu"])
    '\\alpha\\,(e^{x / \\alpha} - 1)'
    """
    for name in entry.options:
        letter = rf"\\{name}" if name in _GREEK else name if len(name) == 1 else rf"\\mathrm{{{name}}}"
        formula = re.sub(rf"(?<![\\a-z]){name}(?![a-z])", letter, formula)
    return formula


def _line(entry: LossEntry) -> str:
    options = {name: option.default for name, option in entry.options.items()}
    derived = {"rest": 1.0 - options["mix"]} if "mix" in options else {}
    derived |= {"b": abs(options["shape"] - 2.0)} if "shape" in options else {}
    return entry.torch_line.format(**options, **derived)


def _told(facts: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value}


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
