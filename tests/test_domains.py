"""Every loss over its whole domain: shapes, values, options and parameters drawn by hypothesis, in both precisions.

The value is the oracle's, finite, and not below the minimum; every gradient is finite; nothing changes where a mask
hides nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract_interface import mask_shape
from tests.contract_mathematics import gradient, values
from tests.samples import Sample, differentiable, oracle_values

from losslens.losses import LOSSES, LossEntry
from losslens.losses.family import Argument
from losslens.vocabulary.quantities import Choice, Domain, Range

PROVEN = [entry for entry in LOSSES.values() if not entry.graph]
EXAMPLES, FEW = 50, {"adaptive_robust": 8, "von_mises_fisher": 15}  # whose oracles integrate
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # a busy machine is no defect of a loss
HELD = 1e30  # beyond it gradients may be out of range of float32
ROUNDING = {torch.float64: 1e-9, torch.float32: 2e-4}
OUTPUTS = {
    "logits": (-1e3, 1e3),
    "softmax": (1e-6, 1e5),
    "softplus": (1e-6, 1e5),
    "log": (-80.0, 80.0),
    "sigmoid": (1e-6, 1.0 - 1e-6),
    "log_softmax": (-80.0, 0.0),
}
TARGETS = {
    Domain.UNIT: (0.0, 1.0),
    Domain.OPEN_UNIT: (1e-6, 1.0 - 1e-6),
    Domain.NON_NEGATIVE: (0.0, 1e6),
    Domain.POSITIVE: (1e-6, 1e6),
    Domain.LOG_PROBABILITIES: (-80.0, 0.0),
}
WHOLE = {Domain.BINARY: (0, 1), Domain.COUNTS: (0, 100_000)}


def _shapes(entry: LossEntry) -> Any:
    """Sizes by the names of dimensions; any number of dimensions where the family takes any."""
    least = 2 if not entry.independent else 1
    sizes = {name: st.integers(1, 4) for name in ("features", "latent", "units", "points")}
    if entry.family.misfit:
        sizes["features"] = st.sampled_from([n for n in range(1, 17) if not entry.family.misfit(n)])
    free = st.lists(st.integers(1, 3), min_size=0, max_size=3) if entry.family.gives == "element" else st.just([])
    return st.fixed_dictionaries({"batch": st.integers(least, 4), "classes": st.integers(2, 4), "...": free, **sizes})


def _shape(argument: Argument, sizes: dict[str, Any]) -> tuple[int, ...]:
    names = argument.shape.split("|")[0].split()
    if names == ["..."]:
        return tuple(sizes["..."])
    return tuple(sizes["batch" if name == "..." else name] for name in names)


def _numbers(entry: LossEntry, argument: Argument, shape: tuple[int, ...], sizes: dict[str, Any]) -> Any:
    count = int(np.prod(shape, dtype=int))
    if argument.target and entry.domain is Domain.LABELS:
        return st.lists(st.integers(0, sizes["classes"] - 1), min_size=count, max_size=count)
    if argument.target and entry.domain is Domain.SIGNS:
        return st.lists(st.sampled_from([-1.0, 1.0]), min_size=count, max_size=count)
    if argument.target and entry.domain in WHOLE:
        return st.lists(st.integers(*WHOLE[entry.domain]).map(float), min_size=count, max_size=count)
    if argument.target and entry.domain in TARGETS:
        return st.lists(st.floats(*TARGETS[entry.domain]), min_size=count, max_size=count)
    if not argument.target and entry.link in OUTPUTS:
        return st.lists(st.floats(*OUTPUTS[entry.link]), min_size=count, max_size=count)
    if entry.family.gives == "element":
        return st.lists(st.floats(-1e6, 1e6), min_size=count, max_size=count)
    return _lattice(entry, argument, shape)


def _lattice(entry: LossEntry, argument: Argument, shape: tuple[int, ...]) -> Any:
    """Rows that are constant exactly or clearly not: between the two, rounding decides what a row's shape is."""
    largest = 12 if entry.reconstructs else 0 if "latent" in argument.shape else 4
    sizes = st.lists(st.integers(-largest, largest), min_size=shape[0], max_size=shape[0])
    count = int(np.prod(shape))
    whole = st.lists(st.integers(-50, 50), min_size=count, max_size=count)
    return st.tuples(whole, sizes).map(lambda drawn: _rows(entry, shape, *drawn))


def _rows(entry: LossEntry, shape: tuple[int, ...], whole: list[int], powers: list[int]) -> list[float]:
    rows = np.array(whole, dtype=float).reshape(shape)
    if not entry.reconstructs:  # two-view oracles know no direction of zero, and no spread of a constant column
        powers = powers[:1] * len(powers)
        rows[0] += 51.0 * (1 + np.arange(shape[1]))
        rows[~rows.any(1)] = 1.0
    return (rows * 10.0 ** np.array(powers)[:, None]).flatten().tolist()


def _option(allowed: Range | Choice) -> Any:
    if isinstance(allowed, Choice):
        return st.sampled_from(allowed.values)
    if isinstance(allowed.low, int):
        return st.integers(allowed.low, min(allowed.high, 6))
    return st.floats(allowed.low, allowed.high)


@st.composite
def samples(draw: Any, entry: LossEntry) -> Sample:
    dtype = draw(st.sampled_from([torch.float64, torch.float32]))
    sizes = draw(_shapes(entry))
    tensors = {}
    for argument in entry.family.arguments:
        shape = _shape(argument, sizes)
        numbers = draw(_numbers(entry, argument, shape, sizes))
        kind = torch.int64 if argument.target and entry.domain is Domain.LABELS else dtype
        tensors[argument.name] = torch.tensor(numbers, dtype=kind).reshape(shape)
    options = {name: draw(_option(option.range)) for name, option in entry.options.items()}
    learned = {
        name: torch.tensor(min(10.0 ** draw(st.floats(-2.0, 5.0)), fact.range.high), dtype=dtype)
        for name, fact in entry.parameters.items()
    }
    return Sample(tensors, options | learned)


@pytest.mark.parametrize("entry", PROVEN, ids=[entry.name for entry in PROVEN])
def test_value_is_the_oracles_and_every_gradient_finite_over_the_domain(entry):
    @settings(
        max_examples=FEW.get(entry.name, EXAMPLES),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=SLOW,
    )
    @given(sample=samples(entry))
    def check(sample):
        found, expected = values(entry.function, sample), oracle_values(entry, sample)
        held = np.abs(expected) < (HELD if sample.output.dtype == torch.float32 else 1e280)
        rtol = ROUNDING[sample.output.dtype]
        np.testing.assert_allclose(
            found[held], expected[held], rtol=rtol, atol=_share(entry, sample, expected[held]) * rtol
        )
        if entry.minimum is not None:
            assert (found[held] >= entry.minimum - _share(entry, sample, expected[held]) * rtol).all()
        if held.all():
            for name in set(differentiable(entry)) & set(sample.arguments):
                assert np.isfinite(gradient(entry.function, sample, name)).all(), f"gradient by {name}"
        everything = torch.ones(mask_shape(entry, sample), dtype=torch.bool)
        masked = entry.function(*sample.tensors, mask=everything, reduction="none", **sample.settings)
        np.testing.assert_allclose(masked.detach().double().numpy(), found, rtol=rtol, atol=0.0)

    check()


def _share(entry: LossEntry, sample: Sample, expected: np.ndarray) -> float:
    """What rounding may take beside a share of the value itself: of the largest numbers that it is a difference of."""
    if entry.reconstructs:
        return 0.1
    largest = max(float(tensor.abs().max()) if tensor.numel() else 0.0 for tensor in sample.tensors)
    return float(0.1 + np.abs(expected).max(initial=0.0) + (0.0 if entry.scale_invariant else 0.1 * largest))
