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
from losslens.vocabulary.quantities import Domain

LARGEST, SMALLEST = 3.4e38, 1.2e-38  # of the normal numbers of float32


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


def convexity_is_as_declared(entry: LossEntry, loss: Any) -> None:
    excess = max(_chord_excess(entry, loss, size, share) for size in (0.1, 1.0, 10.0) for share in (0.2, 0.5, 0.8))
    assert (excess <= 1e-9) == entry.convex, f"convex declared {entry.convex}, but a chord is exceeded by {excess:g}"


def _chord_excess(entry: LossEntry, loss: Any, size: float, share: float) -> float:
    """By how much the loss between two outputs exceeds the straight line between their losses, at most."""
    one, other = (draw(entry, rows=200, seed=seed) for seed in (1, 2))
    ends = [size * one.output, size * other.output]
    middle = share * ends[0] + (1.0 - share) * ends[1]
    low, high, between = (values(loss, one.put(output=output)) for output in (*ends, middle))
    return float((between - share * low - (1.0 - share) * high).max())


def right_in_float32(entry: LossEntry, loss: Any) -> None:
    """Value and gradient, wherever float32 can hold them: at the ends of the domain and from 1e-30 to 1e30."""
    for what, sample in extremes(entry):
        value, expected = values(loss, sample), oracle_values(entry, sample)
        lost = np.abs(expected) >= LARGEST
        close_where_held(value, expected, f"value {what}", atol=_value_tolerance(entry, sample, expected))
        for name in sample.arguments:
            if name in differentiable(entry):
                slope, expected = gradient(loss, sample, name), oracle_gradient(entry, sample, name)
                expected = _by_design(entry, sample, expected)
                if entry.reconstructs and entry.family.gives == "sample":  # no slope is asked where the value is lost
                    slope = np.where(lost[:, None], expected, slope)
                atol = _slope_tolerance(entry, sample.arguments[name], expected)
                close_where_held(slope, expected, f"gradient by {name} {what}", atol=atol)


def _by_design(entry: LossEntry, sample: Sample, expected: np.ndarray) -> np.ndarray:
    """The slope given in place of the derivative, if ``<name>_slope`` of the oracle module says one."""
    slope = getattr(oracle_module(entry), f"{entry.name}_slope", None)
    if slope is None:
        return expected
    error = (sample.output - sample.target).double().numpy()
    return np.vectorize(lambda e: slope(e, **sample.settings), otypes=[float])(error)


def _value_tolerance(entry: LossEntry, sample: Sample, expected: np.ndarray) -> float:
    """Where nothing is reconstructed, a difference of two distances may be small beside both."""
    if not entry.reconstructs:
        largest = 0.0 if entry.scale_invariant else max(float(tensor.abs().max()) for tensor in sample.tensors)
        return 4e-5 * max(1.0, min(float(np.abs(expected).max()), LARGEST)) + 1e-6 * largest
    return SMALLEST if entry.minimum is not None else 4e-5


def _slope_tolerance(entry: LossEntry, by: Tensor, expected: np.ndarray) -> Any:
    if entry.reconstructs and entry.family.gives == "element":
        return SMALLEST + 1e-29 * by.abs().double().numpy() if entry.link is None else 1e-6
    natural = 1.0 / by.abs().amax(-1, keepdim=True).double().clamp_min(1e-38).numpy()  # a direction's gradient
    largest = np.minimum(np.abs(expected).max(-1, keepdims=True), LARGEST)
    tolerance = 1e-6 * (natural + 10.0 * largest)
    if entry.reconstructs:
        return tolerance
    of_a_difference = 0.0 if entry.scale_invariant else 1e-6  # of the slopes of two distances
    return tolerance + of_a_difference + 1e-5 * np.minimum(np.abs(expected).max(), LARGEST)


def extremes(entry: LossEntry) -> list[tuple[str, Sample]]:
    """Float32 samples at the edges of what the loss may meet, at every setting."""
    settings = every_setting(entry, features=5, dtype=torch.float32)
    if entry.reconstructs:
        kinds = {None: _extreme_reals, "logits": _extreme_logits, "log": _extreme_logs}
        pairs = kinds.get(entry.link, _extreme_rates)(entry)
        cases = {n: {"output": output, "target": target} for n, (output, target) in pairs.items()}
    else:
        cases = _extreme_arguments(entry)
    return [(f"at {n}, {s}", Sample(arguments, s)) for s in settings for n, arguments in cases.items()]


def _extreme_arguments(entry: LossEntry) -> dict[str, dict[str, Tensor]]:
    """Of losses that reconstruct nothing: everything that is free scaled together, and one tensor alone."""
    sample = draw(entry, rows=2 if entry.independent else 4, dtype=torch.float32)
    if entry.link is not None:  # probabilities and their logarithms have no size of their own
        return {"scale 1": sample.arguments}
    scales = getattr(oracle_module(entry), f"{entry.name}_scales", EXTREME_SCALES)  # what its oracle can resolve
    free = [argument.name for argument in entry.family.arguments if not argument.target]
    cases = {f"scale {s:g}": {n: sample.arguments[n] * s for n in free} for s in scales}
    cases["above all others"] = {free[0]: sample.arguments[free[0]].abs() + 10.0}
    if len(free) > 1 and entry.scale_invariant:  # others lose the smaller tensor in the larger
        cases |= {f"{free[0]} times {s:g}": {free[0]: sample.arguments[free[0]] * s} for s in scales}
    return {name: sample.arguments | case for name, case in cases.items()}


EXTREME_SCALES = (1e-30, 1e-15, 1.0, 1e15, 1e30)


def _extreme_reals(entry: LossEntry) -> dict[str, tuple[Tensor, Tensor]]:
    sample = draw(entry, rows=2, dtype=torch.float32)
    scales = EXTREME_SCALES
    pairs = {f"scale {s:g}": (s * sample.output, s * sample.target) for s in scales}
    if entry.family.gives == "sample":
        pairs["rows of positive numbers"] = sample.output.abs(), sample.target.abs()
        pairs |= {
            f"scales {a:g}, {b:g}": (a * sample.output, b * sample.target) for a in scales[::2] for b in scales[::2]
        }
    return pairs | {f"equal inputs of scale {s:g}": (s * sample.target, s * sample.target) for s in scales[::2]}


def _extreme_logits(entry: LossEntry) -> dict[str, tuple[Tensor, Tensor]]:
    sizes = torch.tensor([0.0, 1e-30, 1e-4, 0.19, 0.21, 1.0, 20.0, 80.0, 1e4, 1e30]).view(2, 5)
    targets = {Domain.BINARY: (0.0, 1.0), Domain.OPEN_UNIT: (1e-30, 0.3, 1.0 - 2.0**-24)}.get(
        entry.domain, (0.0, 0.3, 1.0)
    )
    return {f"{s:+g} logits, target {t}": (s * sizes, torch.full((2, 5), t)) for s in (-1.0, 1.0) for t in targets}


def _extreme_logs(entry: LossEntry) -> dict[str, tuple[Tensor, Tensor]]:
    sizes = torch.tensor([0.0, 1e-30, 1e-4, 0.2, 1.0, 20.0, 80.0, 1e4, 1e15, 1e30]).view(2, 5)
    targets = (1e-30, 0.3, 1.0, 1e30)
    return {f"{s:+g} logarithms, target {t}": (s * sizes, torch.full((2, 5), t)) for s in (-1.0, 1.0) for t in targets}


def _extreme_rates(entry: LossEntry) -> dict[str, tuple[Tensor, Tensor]]:
    rates = torch.tensor([1e-30, 1e-10, 1e-3, 0.5, 1.0, 3.0, 100.0, 1e4, 1e10, 1e30]).view(2, 5)
    return {f"rates, count {count}": (rates, torch.full((2, 5), float(count))) for count in (0, 1, 7)}


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


def right_in_bfloat16(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry, rows=8, dtype=torch.bfloat16)
    found = loss(*sample.tensors, reduction="none", **sample.settings)
    assert found.dtype == torch.bfloat16, f"bfloat16 in, {found.dtype} out"
    close(values(loss, sample), oracle_values(entry, sample), "value in bfloat16", rtol=0.05, atol=0.1)
    close(gradient(loss, sample), oracle_gradient(entry, sample), "gradient in bfloat16", rtol=0.1, atol=0.1)


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


def close_where_held(found: np.ndarray, expected: np.ndarray, what: str, *, atol: Any) -> None:
    """Compare where float32 can hold the expected number; where it cannot, the found one must not look as if it did."""
    held = np.abs(expected) < LARGEST
    with np.errstate(invalid="ignore"):
        within = np.abs(found - expected) <= np.broadcast_to(atol, expected.shape) + 1e-4 * np.abs(expected)
    wrong = np.where(held, ~within, np.abs(found) <= 0.99 * LARGEST)
    pairs = list(zip(found[wrong], expected[wrong], strict=True))
    assert not wrong.any(), f"{what}: found, expected {pairs[:3]}"
