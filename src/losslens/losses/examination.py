"""An examination of a loss that no oracle knows: what can be measured of any loss, said in words.

Each question is a function of the loss that measures something; ``examine`` asks them all. A loss is called as
``loss(output, target)`` and gives one value per element, per sample or per batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd import gradcheck

Loss = Callable[[Tensor, Tensor], Tensor]
ROWS, FEATURES = 32, 8
AS_STRONG = 100.0  # a factor from mse's gradient beyond which a learning rate does not carry over
NEAR_ZERO = 1e-6  # of the typical gradient
STEPS = 400


Verdict = Literal["fine", "watch", "act"]


class Answer(NamedTuple):
    """Fine, worth watching, or to be acted on; with what was measured and what to do."""

    verdict: Verdict
    answer: str
    remedy: str = ""


@dataclass(frozen=True)
class Finding:
    """A question and its answer."""

    question: str
    verdict: Verdict
    answer: str
    remedy: str = ""


def examine(loss: Loss) -> Iterator[Finding]:
    """Ask everything.

    >>> from losslens.losses.examination import examine
    >>> {finding.verdict for finding in examine(torch.nn.functional.mse_loss)}
    {'fine'}
    >>> [f.question for f in examine(torch.nn.functional.soft_margin_loss) if f.verdict == "act"]
    ['Is it least at a perfect reconstruction?']
    """
    for question, measure in QUESTIONS.items():
        yield Finding(question, *_answer(measure, loss))


def _answer(measure: Callable[[Loss], Answer], loss: Loss) -> Answer:
    try:
        return measure(loss)
    except Exception as error:  # noqa: BLE001 - a loss of the user's own may raise anything, and that is the answer
        return Answer("act", f"It failed: {type(error).__name__}: {str(error).splitlines()[0]}")


def _is_finite(loss: Loss) -> Answer:
    output, target = (tensor.float() for tensor in _data())
    nothing = torch.zeros_like(output)
    usual = {
        "ordinary data": (output, target),
        "a perfect reconstruction": (target, target),
        "outputs that are all zero": (nothing, target),
        "targets that are all zero": (output, nothing),
        "zeros on both sides": (nothing, nothing),
        "bfloat16": (output.bfloat16(), target.bfloat16()),
    }
    rare = {f"numbers of size {size:g}": (output * size, target * size) for size in (1e-30, 1e-15, 1e15)}
    bad = [name for name, pair in usual.items() if not _finite(loss, *pair)]
    if bad:
        remedy = (
            "Training stops at such a batch: treat the case apart with torch.where before, not after, the division."
        )
        return Answer("act", f"Not at {_and(bad)}.", remedy)
    bad = [name for name, pair in rare.items() if not _finite(loss, *pair)]
    if bad:
        return Answer("watch", f"At ordinary data yes, but not at {_and(bad)} in float32.")
    return Answer("fine", "Yes, also at zeros, equal inputs, bfloat16 and sizes from 1e-30 to 1e15.")


def _is_least_at_the_target(loss: Loss) -> Answer:
    output, target = _data()
    perfect = _total(loss, target, target)
    slack = 1e-9 * (1.0 + abs(perfect))
    sizes = {"tiny errors": 1e-3, "errors": 1.0, "errors of the other sign": -1.0, "large errors": 10.0}
    places = {f"with {name}": target + size * (output - target) for name, size in sizes.items()}
    lower = [name for name, rows in places.items() if _total(loss, rows, target) < perfect - slack]
    if not lower and _total(loss, _descended(loss, output, target), target) < perfect - slack:
        lower = ["where its own gradient leads"]
    if lower:
        remedy = "A network would learn to be wrong: check the sign, and that output and target are not swapped."
        return Answer("act", f"No: it is lower {_and(lower)}.", remedy)
    equal = [name for name, rows in places.items() if _total(loss, rows, target) <= perfect]
    if equal:
        return Answer("watch", f"It is the same {_and(equal)}.")
    return Answer("fine", f"Yes: {_total(loss, target[:1], target[:1]):.3g} for one sample, more elsewhere.")


def _leads_to_the_target(loss: Loss) -> Answer:
    output, target = _data()
    before, after = ((rows - target).square().mean() for rows in (output, _descended(loss, output, target)))
    left = float(after / before)
    if left < 0.01:
        return Answer("fine", f"Yes: {STEPS} steps take away {1 - left:.2%} of the squared error.")
    remedy = "A comparison judges by yardsticks of its own and shows what such a loss leaves undone."
    return Answer("watch", f"Not all the way: after {STEPS} steps {left:.0%} of the squared error is left.", remedy)


def _descended(loss: Loss, output: Tensor, target: Tensor) -> Tensor:
    """The output after some steps of Adam on itself, of falling size."""
    place = output.clone().requires_grad_()
    optimiser = torch.optim.Adam([place])
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = 0.03 * (1.0 - step / STEPS)
        place.grad = _gradient(loss, place.detach(), target)
        optimiser.step()
    return place.detach()


def _gradient_is_the_derivative(loss: Loss) -> Answer:
    output, target = (tensor[:3, :4].clone() for tensor in _data())
    try:
        gradcheck(lambda rows: loss(rows, target), (output.requires_grad_(),))
    except RuntimeError as error:
        remedy = (
            "Something is detached, rounded, or written into: gradient descent follows another loss than the one shown."
        )
        return Answer("act", f"No: {str(error).splitlines()[0]}", remedy)
    return Answer("fine", "Yes, to the digits of float64.")


def _pulls_wherever_it_is_wrong(loss: Loss) -> Answer:
    output, target = _data()
    typical = _gradient(loss, output, target).norm(dim=1).median()
    places = {
        "a zero output": torch.zeros_like(output),
        "the opposite of the target": -target,
        "ten times the target": 10.0 * target,
        "the target plus one": target + 1.0,
        "an output a thousand times too large": 1000.0 * output,
    }
    sizes = {name: float(_gradient(loss, rows, target).norm(dim=1).median() / typical) for name, rows in places.items()}
    gone = [f"at {name}" for name, size in sizes.items() if not size > NEAR_ZERO]
    faded = [f"at {name} ({size:.1g} of the typical)" for name, size in sizes.items() if NEAR_ZERO < size < 0.01]
    if gone:
        return Answer("watch", f"No gradient {_and(gone)}: nothing is learned there.")
    if faded:
        return Answer("watch", f"It fades {_and(faded)}: learning is slow there.")
    return Answer("fine", "Yes, also at zero, at the opposite of the target and far away.")


def _is_as_strong_as_mse(loss: Loss) -> Answer:
    output, target = _data()
    own = _gradient(loss, output, target, mean=True).norm()
    ratio = float(own / _gradient(torch.nn.functional.mse_loss, output, target, mean=True).norm())
    answer = f"On standardised data its gradient is {ratio:.3g} times that of mse."
    if 1.0 / AS_STRONG < ratio < AS_STRONG:
        return Answer("fine", answer)
    return Answer("watch", answer, "A learning rate or a weight made for mse does not carry over.")


def _sees_the_size(loss: Loss) -> Answer:
    output, target = _data()
    value = loss(output, target)
    blind = [
        what
        for what, changed in (("size", 3.0 * output), ("level", output + 3.0))
        if torch.allclose(loss(changed, target), value, rtol=1e-7, atol=1e-10)
    ]
    if not blind:
        return Answer("fine", "Yes: three times the output, or three more, changes the value.")
    remedy = "A comparison gives such a loss a head that learns magnitudes without influencing the code."
    return Answer("watch", f"It is blind to the {_and(blind)} of a row: that is free.", remedy)


def _keeps_its_manners(loss: Loss) -> Answer:
    output, target = _data()
    kept = output.clone(), target.clone()
    value, again = loss(output, target), loss(output, target)
    wrong = []
    if not (torch.equal(output, kept[0]) and torch.equal(target, kept[1])):
        wrong.append("it writes into its inputs")
    elif not torch.equal(value, again):
        wrong.append("two calls give two values")
    if loss(output.float(), target.float()).dtype != torch.float32:
        wrong.append("it changes the precision")
    if value.dim() and not torch.allclose(loss(output[:3], target[:3]), value[:3]):
        wrong.append("the value of a sample depends on the others")
    if not value.dim() and torch.allclose(loss(output.repeat(2, 1), target.repeat(2, 1)), 2.0 * value):
        wrong.append("it sums over the batch, so that its strength depends on the batch size")
    if wrong:
        return Answer("watch", f"{_and(wrong).capitalize()}.")
    return Answer("fine", "Yes.")


def _refuses_wrong_shapes(loss: Loss) -> Answer:
    output, target = _data()
    try:
        with warnings.catch_warnings(action="ignore"):
            loss(output, target[:, :1])
    except Exception:  # noqa: BLE001 - any refusal is one
        return Answer("fine", "Yes.")
    return Answer("fine", "No, it broadcasts; inside losslens shapes are always checked before.")


def _compiles(loss: Loss) -> Answer:
    output, target = (tensor.float() for tensor in _data())
    torch._dynamo.reset()
    try:
        compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)(output, target)
    except Exception as error:  # noqa: BLE001 - a compiler raises many kinds
        return Answer("watch", f"Not as one graph: {str(error).strip().splitlines()[0]}")
    if torch.allclose(compiled, loss(output, target), rtol=1e-5):
        return Answer("fine", "Yes, to the same value.")
    return Answer("act", "It does, to another value.", "Something depends on the values of its inputs.")


QUESTIONS: dict[str, Callable[[Loss], Answer]] = {
    "Are value and gradient finite?": _is_finite,
    "Is it least at a perfect reconstruction?": _is_least_at_the_target,
    "Does following the gradient lead to the target?": _leads_to_the_target,
    "Is the gradient the derivative of the value?": _gradient_is_the_derivative,
    "Is there a gradient wherever the output is wrong?": _pulls_wherever_it_is_wrong,
    "How strong is it beside mse?": _is_as_strong_as_mse,
    "Does it see the size of the output?": _sees_the_size,
    "Does it leave its inputs, their precision and the batch alone?": _keeps_its_manners,
    "Does it refuse an output and a target of different shapes?": _refuses_wrong_shapes,
    "Does it compile?": _compiles,
}


def _data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (ROWS, FEATURES)
    output = torch.randn(shape, generator=generator, dtype=torch.float64)
    return output, torch.randn(shape, generator=generator, dtype=torch.float64)


def _total(loss: Loss, output: Tensor, target: Tensor) -> float:
    return float(loss(output, target).sum())


def _gradient(loss: Loss, output: Tensor, target: Tensor, mean: bool = False) -> Tensor:
    output = output.clone().requires_grad_()
    value = loss(output, target)
    total = value.mean() if mean else value.sum()
    if not total.requires_grad:
        return torch.zeros_like(output)
    return torch.autograd.grad(total, output)[0]


def _finite(loss: Loss, output: Tensor, target: Tensor) -> bool:
    return bool(loss(output, target).isfinite().all() and _gradient(loss, output, target).isfinite().all())


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
