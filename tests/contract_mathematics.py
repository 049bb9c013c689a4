"""Contracts on what a loss computes: its values, derivatives, minimum, invariances and precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tests.samples import (
    Sample,
    defaults,
    differentiable,
    draw,
    every_setting,
    oracle_gradient,
    oracle_module,
    oracle_values,
)
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from losslens.losses import LossEntry


def value_equals_oracle(entry: LossEntry, loss: Any) -> None:
    for settings in every_setting(entry, features=5):
        sample = Sample(draw(entry).arguments, settings)
        near = _nearer(entry, sample)
        for at in (sample, near):
            close(values(loss, at), oracle_values(entry, at), f"value at {settings}", rtol=1e-10, atol=1e-14)


def _nearer(entry: LossEntry, sample: Sample) -> Sample:
    """With small numbers, where series take over from closed forms."""
    if entry.link in ("sigmoid", "log_softmax"):
        return sample
    free = [argument.name for argument in entry.family.arguments if not argument.target]
    return sample.put(**{name: 0.07 * sample.arguments[name] for name in free})


def gradient_equals_oracle(entry: LossEntry, loss: Any) -> None:
    for settings in every_setting(entry, features=5):
        sample = Sample(draw(entry, rows=2).arguments, settings)
        for name in sample.arguments:
            if name in differentiable(entry):
                expected = oracle_gradient(entry, sample, name)
                close(gradient(loss, sample, name), expected, f"{name}: {settings}", rtol=1e-9, atol=1e-12)
            elif name in entry.stops:
                assert not gradient(loss, sample, name).any(), f"a gradient reaches {name}"


def gradient_by_target_equals_oracle(entry: LossEntry, loss: Any) -> None:
    """Both sides may be a network's: a teacher, a second decoder, a code that is reconstructed."""
    sample = draw(entry, rows=2)
    name = list(sample.arguments)[-1]
    expected = oracle_gradient(entry, sample, name)
    close(gradient(loss, sample, name), expected, f"gradient by {name}", rtol=1e-9, atol=1e-12)


def minimum_is_attained_at_the_target_alone(entry: LossEntry, loss: Any) -> None:
    assert entry.minimum is not None
    for settings in every_setting(entry, features=5):
        sample = Sample(draw(entry).arguments, settings)
        perfect = [1.0, 1e-3, 7.0] if entry.scale_invariant else [1.0]
        for multiple in perfect:
            best = values(loss, sample.put(output=multiple * sample.target))
            close(best, np.full_like(best, entry.minimum), f"value at {multiple} times the target", atol=1e-14)
        assert (values(loss, sample) > entry.minimum).all(), f"the minimum is reached away from the target: {settings}"


def minimum_is_attained_where_the_oracle_says(entry: LossEntry, loss: Any) -> None:
    """Of losses without a target to reproduce: ``<name>_best()`` of the oracle module gives arguments of least loss."""
    best = Sample(getattr(oracle_module(entry), f"{entry.name}_best")(), draw(entry).settings)
    least = values(loss, best)
    close(least, np.full_like(least, entry.minimum), "value at the best arguments", atol=1e-9)


def never_below_its_minimum(entry: LossEntry, loss: Any) -> None:
    assert entry.minimum is not None
    for seed in range(20):
        least = values(loss, draw(entry, rows=6, seed=seed)).min()
        assert least >= entry.minimum - 1e-12, f"{least:g} is below the minimum, {entry.minimum:g}"


def gradient_is_the_derivative(entry: LossEntry, loss: Any) -> None:
    _differentiate(gradcheck, entry, loss)


def second_gradient_is_the_derivative_of_the_first(entry: LossEntry, loss: Any) -> None:
    _differentiate(gradgradcheck, entry, loss)


def _differentiate(checker: Any, entry: LossEntry, loss: Any) -> None:
    sample = draw(entry, rows=2 if entry.independent else 4, features=3)
    names = differentiable(entry)
    inputs = [(sample.arguments | sample.settings)[name].clone().requires_grad_() for name in names]

    def call(*tensors: Tensor) -> Tensor:
        given = sample.arguments | sample.settings | dict(zip(names, tensors, strict=True))
        return loss(reduction="none", **given)

    try:
        checker(call, inputs)
    except RuntimeError as error:
        raise AssertionError(f"{entry.name}: {error}") from None


def smoothness_is_as_declared(entry: LossEntry, loss: Any) -> None:
    """Of a loss of the error alone: jumps of the first two derivatives, at zero and where an option may put one."""
    settings = defaults(entry) | {name: torch.ones((), dtype=torch.float64) for name in entry.parameters}
    places = torch.tensor([0.0, *(s * v for v in defaults(entry).values() for s in (-1.0, 1.0))], dtype=torch.float64)
    below, above = (_two_derivatives(loss, places + side * 1e-9, settings) for side in (-1.0, 1.0))
    first, second = ((a - b).abs().max() for a, b in zip(above, below, strict=True))
    near, farther = (_two_derivatives(loss, torch.full_like(places, size), settings)[1] for size in (1e-9, 1e-6))
    endless = (near - farther).abs().max() > 0.1 * near.abs().max()  # the second derivative grows without bound
    found = "C0" if first > 1e-3 else "C1" if second > 1e-3 or endless else "C-infinity"
    assert found == entry.smoothness, f"declared {entry.smoothness}, found {found}: jumps {first:g} and {second:g}"


def _two_derivatives(loss: Any, error: Tensor, settings: dict[str, Any]) -> tuple[Tensor, Tensor]:
    error = error.clone().requires_grad_()
    (first,) = torch.autograd.grad(
        loss(error, torch.zeros_like(error), reduction="sum", **settings), error, create_graph=True
    )
    if not first.requires_grad:
        return first, torch.zeros_like(first)
    (second,) = torch.autograd.grad(first.sum(), error)
    return first.detach(), second


def scale_invariance_is_as_declared(entry: LossEntry, loss: Any) -> None:
    _invariance(entry, loss, entry.scale_invariant, "scale", lambda output, size: output * size)


def shift_invariance_is_as_declared(entry: LossEntry, loss: Any) -> None:
    _invariance(entry, loss, entry.shift_invariant, "shift", lambda output, size: output + size)


def _invariance(entry: LossEntry, loss: Any, claimed: bool, what: str, change: Any) -> None:
    sample = draw(entry)
    sizes = torch.tensor([[1e-3], [0.5], [3.0], [1e3]], dtype=torch.float64)  # one per row
    changed = values(loss, sample.put(output=change(sample.output, sizes)))
    apart = np.abs(changed - values(loss, sample)).max()
    assert (apart < 1e-9) == claimed, f"{what} invariance declared {claimed}, but the value changes by {apart:g}"


def zero_rows_have_a_way_out(entry: LossEntry, loss: Any) -> None:
    """Of a zero output the gradient is finite and points to the target; the values at zero rows are the oracle's."""
    for dtype in (torch.float32, torch.float64):
        sample = draw(entry, rows=2, dtype=dtype)
        nothing = torch.zeros_like(sample.target)
        for output, target in ((nothing, sample.target), (sample.output, nothing), (nothing, nothing)):
            rows = sample.put(output=output, target=target)
            close(values(loss, rows), oracle_values(entry, rows), "value at zero rows", rtol=1e-5, atol=1e-12)
            assert np.isfinite(gradient(loss, rows)).all(), "the gradient at zero rows is not finite"
        uphill = (gradient(loss, sample.put(output=nothing)) * sample.target.numpy()).sum(1)
        assert (uphill < 0.0).all(), f"the gradient at a zero output does not point to the target: {uphill}"
        size = getattr(oracle_module(entry), f"{entry.name}_slope_at_zero", None)
        if size is not None:
            found = np.linalg.norm(gradient(loss, sample.put(output=nothing)), axis=1)
            close(found, np.full_like(found, size), "size of the gradient at a zero output", rtol=1e-5)


def values(loss: Any, sample: Sample) -> np.ndarray:
    found = loss(*sample.tensors, reduction="none", **sample.settings)
    return found.detach().double().numpy()


def gradient(loss: Any, sample: Sample, by: str | None = None) -> np.ndarray:
    name = by or next(iter(sample.arguments))
    tensor = sample.arguments[name].clone().requires_grad_()
    total = loss(*(sample.arguments | {name: tensor}).values(), reduction="none", **sample.settings).sum()
    if not total.requires_grad:
        return np.zeros(tensor.shape)
    total.backward()
    return np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.double().numpy()


def close(found: Any, expected: Any, what: str, *, rtol: float = 0.0, atol: float = 0.0) -> None:
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, err_msg=what)
