"""Every fact of every activation, measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from losslens.activations import ACTIVATIONS

each_activation = pytest.mark.parametrize("entry", list(ACTIVATIONS.values()), ids=list(ACTIVATIONS))
GRID = torch.linspace(-12.0, 12.0, 24_001, dtype=torch.float64)  # steps of 1e-3, zero among them


def derivative(entry, x):
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(entry.function(x).sum(), x, create_graph=True)
    return x, slope


def slopes(entry, x):
    return derivative(entry, x)[1].detach()


def curvatures(entry, x):
    x, slope = derivative(entry, x)
    return torch.autograd.grad(slope.sum(), x)[0] if slope.requires_grad else torch.zeros_like(x)


def normal_mean(values):
    """Expectation over a standard normal input, from the values on the grid."""
    density = torch.exp(-GRID.square() / 2.0) / math.sqrt(2.0 * math.pi)
    return float((values * density).sum() * 1e-3)


@each_activation
def test_range_is_filled_and_never_left(entry):
    wide = torch.cat([GRID, torch.tensor([-1e6, -1e3, 1e3, 1e6], dtype=torch.float64)])
    values = entry.function(wide)
    low, high = float(values.min()), float(values.max())
    assert entry.range.low - 1e-12 <= low
    assert high <= entry.range.high + 1e-12
    assert low < (-1e3 if math.isinf(entry.range.low) else entry.range.low + 1e-6)
    assert high > (1e3 if math.isinf(entry.range.high) else entry.range.high - 1e-6)
    assert entry.bounded == (abs(low) < 1e3 and abs(high) < 1e3)


@each_activation
def test_monotone(entry):
    assert bool((entry.function(GRID).diff() >= 0.0).all()) == entry.monotone


@each_activation
def test_lipschitz_constant_is_the_steepest_slope(entry):
    steepest = float(slopes(entry, GRID).abs().max())
    assert entry.lipschitz - 1e-3 < steepest <= entry.lipschitz + 1e-12


@each_activation
def test_gradient_is_the_derivative(entry):
    at = torch.linspace(-7.3, 7.9, 50, dtype=torch.float64).requires_grad_()
    assert gradcheck(entry.function, (at,))


@each_activation
def test_kinks_and_smoothness(entry):
    """The slope jumps at a kink of C0, the curvature at one of C1, and neither anywhere else."""
    near = {kink: torch.tensor([kink - 1e-9, kink + 1e-9], dtype=torch.float64) for kink in entry.kinks}
    steps = [float(slopes(entry, pair).diff().abs()) for pair in near.values()]
    bends = [float(curvatures(entry, pair).diff().abs()) for pair in near.values()]
    assert all(step > 1e-2 for step in steps) == (entry.smoothness == "C0") or not entry.kinks
    assert all(bend > 1e-2 for bend in bends) or entry.smoothness != "C1"
    assert bool(entry.kinks) == (entry.smoothness != "C-infinity")
    sides = [GRID[GRID < 0.0], GRID[GRID > 0.0]] if entry.kinks == (0.0,) else [GRID]
    for side in sides:
        assert float(slopes(entry, side).diff().abs().max()) < 5e-3
        assert float(curvatures(entry, side).diff().abs().max()) < 5e-3


@each_activation
def test_saturation(entry):
    left, right = (float(abs(slopes(entry, torch.tensor([x], dtype=torch.float64)))) < 1e-8 for x in (-60.0, 60.0))
    assert {(True, True): "both", (True, False): "left", (False, True): "right", (False, False): "none"}[
        left, right
    ] == entry.saturates


@each_activation
def test_can_die(entry):
    flat = [
        bool((slopes(entry, side) == 0.0).all())
        for side in (GRID[(GRID > -8) & (GRID < 0)], GRID[(GRID > 0) & (GRID < 8)])
    ]
    assert any(flat) == entry.can_die


@each_activation
def test_gain_keeps_the_mean_square(entry):
    assert entry.gain == pytest.approx(1.0 / math.sqrt(normal_mean(entry.function(GRID).square())), rel=1e-6)


@pytest.mark.parametrize("name", ["linear", "relu", "leaky_relu"])
def test_gain_is_pytorchs(name):
    assert ACTIVATIONS[name].gain == pytest.approx(nn.init.calculate_gain(name))


@each_activation
def test_zero_centred(entry):
    assert (abs(normal_mean(entry.function(GRID))) < 1e-6) == entry.zero_centred


@each_activation
def test_module_computes_the_function_and_is_new_each_time(entry):
    module = entry.module()
    assert isinstance(module, nn.Module)
    assert module is not entry.module()
    assert torch.equal(module(GRID), entry.function(GRID))


@each_activation
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_value_and_gradient_are_finite_at_any_size(entry, dtype):
    at = torch.tensor([0.0, 1e-30, -1e-30, 30.0, -30.0, 1e4, -1e4, 1e30, -1e30], dtype=dtype)
    value, slope = entry.function(at), slopes(entry, at)
    assert value.dtype == dtype
    assert bool(value.isfinite().all())
    assert bool(slope.isfinite().all())


OUTPUTS = [entry for entry in ACTIVATIONS.values() if entry.output]


def test_outputs_have_inverses():
    assert [entry.name for entry in OUTPUTS] == ["linear", "tanh", "sigmoid", "softplus"]
    assert all((entry.inverse is not None) == entry.output for entry in ACTIVATIONS.values())


@pytest.mark.parametrize("entry", OUTPUTS, ids=[entry.name for entry in OUTPUTS])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-12)])
def test_inverse_gives_the_value_back(entry, dtype, tolerance):
    inside = torch.linspace(max(entry.range.low, -5.0), min(entry.range.high, 40.0), 101, dtype=dtype)[1:-1]
    torch.testing.assert_close(entry.function(entry.inverse(inside)), inside, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("entry", OUTPUTS, ids=[entry.name for entry in OUTPUTS])
def test_inverse_is_finite_at_and_beyond_the_ends(entry):
    beyond = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])
    back = entry.inverse(beyond)
    assert bool(back.isfinite().all())
    nearest = beyond.clamp(entry.range.low, entry.range.high)
    torch.testing.assert_close(entry.function(back), nearest, rtol=0.0, atol=3e-6)


def test_softplus_has_no_step_where_it_becomes_linear():
    at = torch.tensor([20.0, 20.000001, 39.999, 40.001], dtype=torch.float64)
    np.testing.assert_allclose(ACTIVATIONS["softplus"].function(at), np.logaddexp(0.0, at.numpy()), rtol=1e-15)


def test_names_and_aliases():
    assert ACTIVATIONS["identity"] is ACTIVATIONS["linear"]
    assert ACTIVATIONS["swish"] is ACTIVATIONS["silu"]
    assert all(entry.summary.endswith(".") and entry.formula for entry in ACTIVATIONS.values())
