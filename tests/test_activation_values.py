"""Values and gradients of every activation: against its textbook formula, PyTorch, extremes, compilation."""

from __future__ import annotations

import math
import pickle

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles import activations as oracles
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.functional import jacobian
from torch.nn import functional

from losslens.activations import ACTIVATIONS, Activation


def settings_of(entry):
    """The defaults, then each option in turn at both ends of its range, or at all of its choices."""
    base = {name: option.default for name, option in entry.options.items()}
    ends = [base | {name: end} for name, option in entry.options.items() for end in option.range.ends]
    return getattr(oracles, f"{entry.name}_settings", [base, *ends])


CASES = [(entry, options) for entry in ACTIVATIONS.values() for options in settings_of(entry)]
ELEMENTS = [(entry, options) for entry, options in CASES if entry.acts == "element"]
ACROSS = [entry for entry in ACTIVATIONS.values() if entry.acts == "dimension"]


def every(cases):
    ids = [f"{entry.name}{list(options.values()) or ''}" for entry, options in cases]
    return pytest.mark.parametrize(("entry", "options"), cases, ids=ids)


across = pytest.mark.parametrize("entry", ACROSS, ids=[entry.name for entry in ACROSS])
POINTS = torch.tensor([*np.linspace(-9.7, 9.3, 77), -50.3, 50.3, 0.41, -0.41, 1e-3, -1e-3], dtype=torch.float64)


def called(entry, options, x):
    """The function on a flat ``x``; one channel for each learned parameter."""
    width = options.get("num_parameters", 1)
    return entry.function(x.reshape(-1, 1).expand(-1, width), **options)[:, 0]


def told(entry, options, x, what=""):
    """What the oracle says at a number, from many digits."""
    exact = {name: mp.mpf(value) if isinstance(value, float) else value for name, value in options.items()}
    return getattr(oracles, entry.name + what)(mp.mpf(x), **exact)


def gradient(entry, options, x):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(called(entry, options, x).sum(), x)[0]


@every(ELEMENTS)
def test_value_and_derivative_are_the_textbooks(entry, options):
    with mp.workdps(60):
        values = [float(told(entry, options, float(x))) for x in POINTS]
        steps = [float(told(entry, options, float(x), "_derivative")) for x in POINTS]
    np.testing.assert_allclose(called(entry, options, POINTS), values, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(gradient(entry, options, POINTS), steps, rtol=1e-10, atol=1e-10)


@every(ELEMENTS)
def test_the_textbooks_derivative_is_that_of_its_value(entry, options):
    with mp.workdps(60):
        for x in POINTS[::5].tolist():
            above, below = (told(entry, options, mp.mpf(x) + step) for step in (mp.mpf("1e-20"), mp.mpf("-1e-20")))
            slope = (above - below) / mp.mpf("2e-20")
            assert abs(slope - told(entry, options, x, "_derivative")) < mp.mpf("1e-12")


ROWS = [[0.3, -1.2, 0.9, 0.1], [5.0, -3.0, 4.6, 4.4], [0.0, 0.0, 0.0], [2.0, 2.0, -9.0], [-7.0]]


@across
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_rows_and_jacobians_are_the_textbooks(entry, row):
    with mp.workdps(60):
        exact = [mp.mpf(x) for x in row]
        values = np.array([float(v) for v in getattr(oracles, entry.name)(exact)])
        steps = np.array([[float(s) for s in line] for line in getattr(oracles, f"{entry.name}_derivative")(exact)])
    at = torch.tensor(row, dtype=torch.float64)
    np.testing.assert_allclose(entry.function(at), values, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(jacobian(entry.function, at), steps, rtol=1e-10, atol=1e-10)


@across
def test_every_dimension_is_like_the_last(entry):
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for dim in entry.options["dim"].range.ends:
        expected = entry.function(x.movedim(dim, -1)).movedim(-1, dim)
        torch.testing.assert_close(entry.function(x, dim=dim), expected, rtol=0.0, atol=1e-15)


NEIGHBOURS = [0.0, -1.0, 1.0, -0.7, 0.6, -0.3, 0.2]  # of a large number these are periods of a sine apart
EXTREMES = [0.0, 1e-30, -1e-30, 1e-40, -1e-40, 30.0, -30.0, 1e4, -1e4, 1e30, -1e30]


@every(ELEMENTS)
def test_right_at_extremes_of_float32(entry, options):
    at = torch.tensor(EXTREMES)
    for what, found in (("", called(entry, options, at)), ("_derivative", gradient(entry, options, at))):
        for x, value in zip(at.tolist(), found.tolist(), strict=True):
            assert math.isfinite(value)
            with mp.workdps(60):
                near = [
                    float(told(entry, options, x * (1 + k * mp.mpf(2) ** -21) + k * mp.mpf("1e-44"), what))
                    for k in NEIGHBOURS
                ]
            slack = 1e-5 * abs(near[0]) + max(near) - min(near) + 1e-7 * (what != "") + 1e-38
            assert abs(value - near[0]) <= slack, (what, x, value, near[0])


@across
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_of_extremes_are_finite_and_right(entry, dtype):
    rows = [[1e30, -1e30, 0.0], [1e30, 1e30, 1e30], [-1e30, -1e30, 0.0], [1e-40, -1e-40, 1e-30], [1e4, 9e3, -1e4]]
    x = torch.tensor(rows, dtype=dtype, requires_grad=True)
    values = entry.function(x)
    (grad,) = torch.autograd.grad(values[:, 0].sum(), x)
    assert values.dtype == grad.dtype == dtype
    assert bool(values.isfinite().all())
    assert bool(grad.isfinite().all())
    with mp.workdps(80):
        for row, value, slope in zip(x.tolist(), values.tolist(), grad.tolist(), strict=True):
            exact = [mp.mpf(v) for v in row]
            close = {"rtol": 1e-5, "atol": 1e-6} if dtype is torch.float32 else {"rtol": 1e-2, "atol": 1e-2}
            np.testing.assert_allclose(value, np.array(getattr(oracles, entry.name)(exact), dtype=float), **close)
            first = getattr(oracles, f"{entry.name}_derivative")(exact)[0]
            np.testing.assert_allclose(slope, np.array(first, dtype=float), **close)


@every(ELEMENTS)
def test_right_in_bfloat16(entry, options):
    """The value of the same numbers in float64, rounded once; the gradient rounded a few times; finite at any size."""
    x = torch.linspace(-4.0, 4.0, 129).bfloat16()
    value, exact = called(entry, options, x), called(entry, options, x.double())
    assert value.dtype == torch.bfloat16
    torch.testing.assert_close(value.double(), exact, rtol=2.0**-8, atol=1e-5)
    steep = gradient(entry, options, x.double())
    slack = 2.0**-7 * float(steep.abs().max())
    torch.testing.assert_close(gradient(entry, options, x).double(), steep, rtol=2.0**-7, atol=slack)
    far = torch.tensor([1e30, -1e30, 1e-30, 0.0]).bfloat16()
    assert bool(called(entry, options, far).isfinite().all())
    assert bool(gradient(entry, options, far).isfinite().all())


def generic(options):
    shape = (1, options["num_parameters"]) if options.get("num_parameters", 1) > 1 else (2, 2, 1, 2)
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 0.11


SMALL = [(entry, options) for entry, options in CASES if options.get("num_parameters", 1) < 100]


@every(SMALL)
def test_gradient_is_the_derivative(entry, options):
    x = generic(options).requires_grad_()
    assert gradcheck(lambda x: entry.function(x, **options), (x,))
    if entry.smoothness == "C-infinity":
        assert gradgradcheck(lambda x: entry.function(x, **options), (x,), rtol=1e-2)


@every(CASES)
def test_compiled_is_eager(entry, options):
    x = generic(options).requires_grad_()
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: entry.function(x, **options), backend="aot_eager", fullgraph=True)
    eager, fast = entry.function(x, **options), compiled(x)
    torch.testing.assert_close(fast, eager, rtol=0.0, atol=0.0)
    grads = [torch.autograd.grad((v * v).sum(), x)[0] for v in (eager, fast)]
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-14, atol=1e-14)


@every(CASES)
def test_a_module_survives_pickling_and_computes_the_function(entry, options):
    x = generic(options)
    again = pickle.loads(pickle.dumps(entry.module(**options))).double()
    assert again.training
    assert torch.equal(again(x), entry.function(x, **options))
    assert repr(again)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_layer_is_pytorchs_where_it_has_one(name):
    kind = type(ACTIVATIONS[name].module())
    assert kind is oracles.PYTORCHS.get(name, (Activation,))[0]


@pytest.mark.parametrize("name", oracles.PYTORCHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exactly_pytorchs_own(name, dtype):
    x = torch.linspace(-30.0, 60.0, 1001, dtype=dtype)
    assert torch.equal(ACTIVATIONS[name].function(x), oracles.PYTORCHS[name][1](x))


@pytest.mark.parametrize("alpha", [0.01, 0.3, 2.0, 100.0])
def test_celu_has_pytorchs_values_and_its_gradient_in_all_digits(alpha):
    x = torch.linspace(-0.1, 0.1, 101, dtype=torch.float64, requires_grad=True)
    values = [ACTIVATIONS["celu"].function(x, alpha=alpha), functional.celu(x, alpha)]
    assert torch.equal(*values)
    (step,) = torch.autograd.grad(values[0].sum(), x)
    expected = torch.exp(x.detach().clamp_max(0.0) / alpha)
    torch.testing.assert_close(step, expected, rtol=1e-14, atol=0.0)


def test_the_tanh_form_of_gelu_is_pytorchs_value_with_a_gradient_that_stays_finite():
    x = torch.linspace(-30.0, 60.0, 1001)
    assert torch.equal(ACTIVATIONS["gelu"].function(x, approximate="tanh"), functional.gelu(x, approximate="tanh"))
    far = torch.tensor([1e30, -1e30], requires_grad=True)
    assert torch.autograd.grad(functional.gelu(far, approximate="tanh").sum(), far)[0].isnan().all()


numbers = st.floats(-1e3, 1e3, width=32)


@given(st.lists(numbers, min_size=1, max_size=12))
def test_sparsemax_is_the_nearest_point_of_the_simplex(row):
    with mp.workdps(60):
        exact = [float(p) for p in oracles.sparsemax([mp.mpf(x) for x in row])]
    np.testing.assert_allclose(
        ACTIVATIONS["sparsemax"].function(torch.tensor(row, dtype=torch.float64)), exact, atol=1e-12
    )
    single = ACTIVATIONS["sparsemax"].function(torch.tensor(row))
    assert abs(float(single.sum()) - 1.0) < 1e-5
    assert bool((single >= 0.0).all())


@given(st.lists(st.sampled_from([0.0, 1.0, 1e30, -1e30, 1e-40]), min_size=1, max_size=8))
def test_sparsemax_shares_ties_equally_at_any_size(row):
    x = torch.tensor(row, requires_grad=True)
    shares = ACTIVATIONS["sparsemax"].function(x)
    assert abs(float(shares.detach().sum()) - 1.0) < 1e-6
    assert all(len({s for v, s in zip(row, shares.tolist(), strict=True) if v == value}) == 1 for value in row)
    assert abs(float(torch.autograd.grad(shares[0], x)[0].sum())) < 1e-6  # a shift changes nothing


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0.1, 50.0))
def test_snake_rises_by_a_period_per_period_and_never_falls(one, other, a):
    low, high = sorted((one, other))
    x = torch.tensor([low, high, low + math.pi / a], dtype=torch.float64)
    below, above, later = ACTIVATIONS["snake"].function(x, a=a).tolist()
    assert above - below >= -1e-9
    assert later - below == pytest.approx(math.pi / a, abs=1e-9)
