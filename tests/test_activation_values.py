"""Values and gradients of every activation: against its textbook formula, PyTorch, extremes, compilation."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.activation_values import CASES, ELEMENTS, POINTS, VALUES, generic, told
from tests.oracles import activations as oracles
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from losslens.activations import ACTIVATIONS


def every(cases):
    ids = [f"{entry.name}{list(options.values()) or ''}" for entry, options in cases]
    return pytest.mark.parametrize(("entry", "options"), cases, ids=ids)


CHECKS = [(check, entry, options) for check, cases in VALUES.items() for entry, options in cases]
NAMES = [f"{check.__name__}-{entry.name}{list(options.values()) or ''}" for check, entry, options in CHECKS]


@pytest.mark.parametrize(("check", "entry", "options"), CHECKS, ids=NAMES)
def test_value(check, entry, options):
    check(entry, options)


@every(ELEMENTS)
def test_the_textbooks_derivative_is_that_of_its_value(entry, options):
    with mp.workdps(60):
        for x in POINTS[::5].tolist():
            above, below = (told(entry, options, mp.mpf(x) + step) for step in (mp.mpf("1e-20"), mp.mpf("-1e-20")))
            slope = (above - below) / mp.mpf("2e-20")
            assert abs(slope - told(entry, options, x, "_derivative")) < mp.mpf("1e-12")


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
