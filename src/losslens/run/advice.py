"""Advice from the rules for some data: losses with their outputs, activations, traps.

Advice is a prior. What a comparison measures on the data at hand outranks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from losslens.activations import ACTIVATIONS
from losslens.losses import LOSSES, LossEntry
from losslens.run.plan import natural_output, pair, sort_pairs
from losslens.run.rules import CHOICES, RULES, TRAPS, Rule
from losslens.run.situation import Situation
from losslens.vocabulary.quantities import Domain


@dataclass(frozen=True)
class Advice:
    """A loss with its output activation, and why; ``name`` is how ``--loss`` takes the pair."""

    name: str
    loss: str
    output: str
    because: str
    prioritises: str
    blind_to: str
    rather_not: str


@dataclass(frozen=True)
class Hint:
    """An activation for a place in the network, or a trap, with its figures."""

    subject: str
    text: str


def advised(at: Situation) -> list[Advice]:
    """The losses that the rules name for a situation, each once, with the output that suits the data.

    A rule's loss that the plan refuses for such data is left out, so that advice and gate agree.
    """
    fitting = set(sort_pairs(at.seen)[0])
    found: dict[str, Advice] = {}
    for rule in (rule for rule in RULES if rule.applies(at)):
        for loss in rule.losses:
            output = natural_output(loss, at.seen)
            if (loss, output) in fitting:
                found.setdefault(loss, _advice(rule, loss, output, at))
    return list(found.values())


def reference(at: Situation, losses: Sequence[Advice]) -> list[str]:
    """The squared error, where it fits and is not advised already: a comparison needs a loss to beat."""
    output = natural_output("mse", at.seen)
    fits = at.domain is not Domain.BINARY and ("mse", output) in sort_pairs(at.seen)[0]
    return [pair("mse", output)] if fits and all(each.loss != "mse" for each in losses) else []


def activations(at: Situation) -> list[Hint]:
    """Activations for output, hidden layers and, where there are classes, a classifier of them."""
    return [
        Hint(f"{each.place}, {each.data}: {' or '.join(each.names)}", _joined(each.reason, each.measured(at)))
        for each in CHOICES
        if each.applies(at)
    ]


def traps(at: Situation) -> list[Hint]:
    """The mistakes that such data invite, with the figures at hand."""
    return [Hint(each.data, _joined(each.text, each.measured(at))) for each in TRAPS if each.applies(at)]


def prioritises(entry: LossEntry) -> str:
    """What a loss asks of an output: the quantity that it elicits.

    >>> prioritises(LOSSES["mae"])
    'the median'
    """
    return f"{'something' if entry.elicits.startswith('between') else 'the'} {entry.elicits}"


def blind_to(entry: LossEntry) -> str:
    """What an output may get wrong without a cost.

    >>> blind_to(LOSSES["pearson"]), blind_to(LOSSES["mse"])
    ('the norm and the level of a profile', 'nothing')
    """
    free = (("norm", entry.scale_invariant), ("level", entry.shift_invariant))
    blind = " and ".join(f"the {what}" for what, is_so in free if is_so)
    return f"{blind} of a profile" if blind else "nothing"


def _advice(rule: Rule, loss: str, output: str, at: Situation) -> Advice:
    entry = LOSSES[loss]
    return Advice(
        name=pair(loss, output),
        loss=loss,
        output=output,
        because=_joined(rule.reason, rule.measured(at)),
        prioritises=prioritises(entry),
        blind_to=blind_to(entry),
        rather_not=rule.rather_not,
    )


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def named() -> Iterator[str]:
    """All members of a catalogue that the rules name."""
    for rule in RULES:
        yield from (LOSSES[loss].name for loss in rule.losses)
    for each in CHOICES:
        yield from (ACTIVATIONS[name].name for name in each.names)
