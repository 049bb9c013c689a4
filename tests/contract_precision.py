"""Contracts on precision: single and half, mixed, under autocast, and at the ends of what numbers can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tests.contract_mathematics import close, gradient, values
from tests.samples import (
    Sample,
    differentiable,
    draw,
    draw_target,
    every_setting,
    oracle_gradient,
    oracle_module,
    oracle_values,
)
from torch import Tensor
from torch.nn import functional

from losslens.losses import LossEntry
from losslens.vocabulary.quantities import Domain

LARGEST, SMALLEST = 3.4e38, 1.2e-38  # of the normal numbers of float32


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
    numbers = (tensor.double().numpy() for tensor in sample.tensors)
    return np.vectorize(lambda *n: slope(*n, **sample.settings), otypes=[float])(*numbers)


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
        pairs["rows almost opposite"] = 0.03 * sample.output - 1.5 * sample.target, sample.target
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
    return {f"rates, count {count}": (rates, torch.full((2, 5), float(count))) for count in (0, 1, 7, 1000)}


def right_in_bfloat16(entry: LossEntry, loss: Any) -> None:
    """Computed in single precision and rounded once, so that nothing but the result has eight bits."""
    sample = draw(entry, rows=6, dtype=torch.bfloat16)
    found = loss(*sample.tensors, reduction="none", **sample.settings)
    assert found.dtype == torch.bfloat16, f"bfloat16 in, {found.dtype} out"
    _close_in_bfloat16(values(loss, sample), oracle_values(entry, sample), "value")
    for name in sample.arguments:
        if name in differentiable(entry):
            slope, expected = gradient(loss, sample, name), oracle_gradient(entry, sample, name)
            _close_in_bfloat16(slope, expected, f"gradient by {name}")


def right_under_autocast(entry: LossEntry, loss: Any) -> None:
    """As in training: rows from a linear layer in bfloat16 beside data in float32, and rows in float32 alone."""
    sample = draw(entry, rows=8, dtype=torch.float32)
    for name in differentiable(entry):
        if name in sample.arguments and sample.arguments[name].dim() == 2:
            rows = sample.arguments[name].clone().requires_grad_()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                layered = functional.linear(rows, torch.eye(rows.shape[1]))
                totals = [loss(**_with(sample, {name: given}), reduction="none") for given in (layered, rows)]
            assert layered.dtype == torch.bfloat16
            for given, total in zip((layered, rows), totals, strict=True):
                _right_beside(loss, sample.put(**{name: given.detach().float()}), name, total, rows)


def _with(sample: Sample, tensors: dict[str, Tensor]) -> dict[str, Any]:
    return sample.arguments | tensors | sample.settings


def _right_beside(loss: Any, exact: Sample, name: str, found: Tensor, rows: Tensor) -> None:
    """The value to the digits of single precision, the gradient within one rounding to eight bits of float64."""
    assert found.dtype == torch.float32, f"{found.dtype} under autocast"
    exact = _double(exact)
    expected = values(loss, exact)
    close(found.detach().double().numpy(), expected, "value", rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    (slope,) = torch.autograd.grad(found.sum(), rows, retain_graph=True)
    _close_in_bfloat16(slope.double().numpy(), gradient(loss, exact, name), f"gradient by {name}")


def _double(sample: Sample) -> Sample:
    return Sample({n: t.double() if t.is_floating_point() else t for n, t in sample.arguments.items()}, sample.settings)


def mixed_types_are_computed_in_the_widest(entry: LossEntry, loss: Any) -> None:
    """Outputs of another precision than the targets, learned numbers of another again, whole targets as integers."""
    sample = draw(entry, dtype=torch.float32)
    targets = {argument.name for argument in entry.family.arguments if argument.target}
    half, single = torch.bfloat16, torch.float32
    for one, other in ((half, single), (single, half), (torch.float64, single)):
        kinds = {name: other if name in targets else one for name in sample.arguments}
        mixed = {n: t.to(kinds[n]) if t.is_floating_point() else t for n, t in sample.arguments.items()}
        given = Sample(mixed, sample.settings)
        _same_as_exact(entry, loss, given, _double(given), 1e-2 if half in (one, other) else 1e-4)
    if targets and entry.domain.whole:
        whole = sample.put(target=sample.target.to(torch.int32))
        _same_as_exact(entry, loss, whole, sample, 1e-6)
    if entry.domain is Domain.BINARY:
        _same_as_exact(entry, loss, sample.put(target=sample.target.bool()), sample, 1e-6)


def _same_as_exact(entry: LossEntry, loss: Any, found: Sample, exact: Sample, rtol: float) -> None:
    expected = values(loss, exact)
    close(values(loss, found), expected, "value", rtol=rtol, atol=rtol * np.abs(expected).max())
    for name in differentiable(entry):
        if name in found.arguments:
            slope = gradient(loss, exact, name)
            close(gradient(loss, found, name), slope, f"gradient by {name}", rtol=rtol, atol=rtol * np.abs(slope).max())


def _close_in_bfloat16(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Within one rounding to eight bits of each number, and of single precision of the largest."""
    close(found, expected, f"{what} in bfloat16", rtol=2.0**-8, atol=1e-5 * np.abs(expected).max())


def finite_where_numbers_are_subnormal(entry: LossEntry, loss: Any) -> None:
    """The value is the oracle's, and the gradient finite, of tensors of 1e-38 and less, together and one by one.

    The gradient of a direction grows as a row gets shorter, beyond what float32 can hold: there it only must be finite.
    """
    sample = draw(entry, rows=2 if entry.independent else 4, dtype=torch.float32)
    free = [argument.name for argument in entry.family.arguments if not argument.target or entry.domain in _SCALED]
    for names in [free, *([name] for name in free if len(free) > 1)]:
        held = np.array(True)
        for size in (1e-38, 1e-40, 1e-45, 0.0):
            small = sample.put(**{name: _of_size(sample.arguments[name], size) for name in names})
            found = values(loss, small)
            held = _held(entry, small, found, f"value at {names} of {size:g}") if size >= 1e-40 else held
            assert np.isfinite(found[held]).all(), f"value at {names} of {size:g}: {found}"
            for name in small.arguments:
                if name in differentiable(entry):
                    slope = gradient(loss, small, name)
                    assert not np.isnan(slope).any(), f"gradient by {name} at {names} of {size:g}"
                    assert np.isfinite(slope).all() or not held.all(), (
                        f"gradient by {name} at {names} of {size:g}: {slope}"
                    )


def _held(entry: LossEntry, small: Sample, found: np.ndarray, what: str) -> np.ndarray:
    """Which values float32 can hold: those are compared. Low rates count as 1e-30."""
    if entry.link == "softmax":
        return np.ones_like(found, dtype=bool)
    expected = oracle_values(entry, small)
    held = np.abs(expected) < LARGEST
    tolerance = 1e-5 * max(1.0, np.abs(expected[held]).max(initial=0.0))
    close(found[held], expected[held], what, rtol=1e-4, atol=tolerance)
    return held


_SCALED = (Domain.REAL, Domain.NON_NEGATIVE)


def _of_size(tensor: Tensor, size: float) -> Tensor:
    return tensor.sign() * size if size < 1e-44 else tensor * size


def finite_after_a_saturated_layer(entry: LossEntry, loss: Any) -> None:
    """Value and gradient, by what goes into the output activation, of raw outputs up to 1e4 of both signs."""
    raw = torch.tensor([-1e4, -1e2, -88.8, -20.0, 0.0, 20.0, 88.8, 1e2, 1e4]).repeat(4, 1)
    raw = torch.stack([row.roll(shift) for row, shift in zip(raw, (0, 2, 5, 7), strict=True)])
    for settings in every_setting(entry, features=9, dtype=torch.float32):
        for target in _target_rows(entry, raw.shape):
            layer = raw.clone().requires_grad_()
            given = (
                (LINKS[entry.link](layer), target) if len(entry.family.arguments) == 2 else (LINKS[entry.link](layer),)
            )
            value = loss(*given, reduction="none", **settings)
            (slope,) = torch.autograd.grad(value.sum(), layer)
            assert value.isfinite().all(), f"value at {settings}: {value}"
            assert slope.isfinite().all(), f"gradient at {settings}: {slope}"


LINKS: dict[str | None, Any] = {
    None: lambda raw: raw,
    "logits": lambda raw: raw,
    "log": lambda raw: raw,
    "softplus": functional.softplus,
    "sigmoid": torch.sigmoid,
    "softmax": lambda raw: 50.0 * torch.softmax(raw, 1),  # shares of a row's sum
    "log_softmax": lambda raw: torch.log_softmax(raw, 1),
}


def _target_rows(entry: LossEntry, shape: torch.Size) -> list[Tensor]:
    """Anywhere in the domain, and at its ends."""
    generator = torch.Generator().manual_seed(0)
    drawn = draw_target(entry, tuple(shape), generator)
    if entry.domain is Domain.LABELS:
        return [drawn[:, 0], 0 * drawn[:, 0], 0 * drawn[:, 0] + shape[1] - 1]
    ends = {
        Domain.REAL: (0.0, -1e4, 1e4),
        Domain.NON_NEGATIVE: (0.0, 1e-30, 1.0),
        Domain.POSITIVE: (1e-45, 1e-30, 1e30),
        Domain.OPEN_UNIT: (1e-30, 1.0 - 2.0**-24),
        Domain.COUNTS: (0.0, 1.0, 1e6),
        Domain.LOG_PROBABILITIES: (0.0, -1e4),
    }
    return [drawn.float(), *(torch.full(shape, end) for end in ends.get(entry.domain, (0.0, 1.0)))]


def close_where_held(found: np.ndarray, expected: np.ndarray, what: str, *, atol: Any) -> None:
    """Compare where float32 can hold the expected number; where it cannot, the found one must not look as if it did."""
    held = np.abs(expected) < LARGEST
    with np.errstate(invalid="ignore"):
        within = np.abs(found - expected) <= np.broadcast_to(atol, expected.shape) + 1e-4 * np.abs(expected)
    wrong = np.where(held, ~within, np.abs(found) <= 0.99 * LARGEST)
    pairs = list(zip(found[wrong], expected[wrong], strict=True))
    assert not wrong.any(), f"{what}: found, expected {pairs[:3]}"
