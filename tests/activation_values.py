"""What an activation computes, held against its textbook formula, PyTorch, extremes and low precision.

Every check takes an entry and options; ``VALUES`` says which entries and options it is for.
"""

from __future__ import annotations

import math
import pickle
from functools import cache

import mpmath as mp
import numpy as np
import pytest
import torch
from tests.oracles import activations as oracles
from torch.autograd.functional import jacobian

from losslens.activations import ACTIVATIONS, Activation
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Choice

POINTS = torch.tensor([*np.linspace(-9.7, 9.3, 77), -50.3, 50.3, 0.41, -0.41, 1e-3, -1e-3], dtype=torch.float64)
ROWS = [[0.3, -1.2, 0.9, 0.1], [5.0, -3.0, 4.6, 4.4], [0.0, 0.0, 0.0], [2.0, 2.0, -9.0], [-7.0]]
NEIGHBOURS = [0.0, -1.0, 1.0, -0.7, 0.6, -0.3, 0.2]  # of a large number these are periods of a sine apart
EXTREMES = [0.0, 1e-30, -1e-30, 1e-40, -1e-40, 30.0, -30.0, 1e4, -1e4, 1e30, -1e30]
EXTREME_ROWS = [[1e30, -1e30, 0.0], [1e30, 1e30, 1e30], [-1e30, -1e30, 0.0], [1e-40, -1e-40, 1e-30], [1e4, 9e3, -1e4]]
REFUSED = [
    ("elu", {"alpha": 1e9}, r"expected alpha of elu in \[0.01, 100\], found 1000000000.0. Without it, alpha is 1.0."),
    ("elu", {"alpha": "big"}, "found 'big'"),
    ("elu", {"alpha": float("nan")}, "found nan"),
    ("elu", {"alpha": True}, "found True"),
    ("elu", {"beta": 1.0}, r"an option of elu \(it has: alpha\), found 'beta'"),
    ("relu", {"slope": 0.1}, r"an option of relu \(it has: none\), found 'slope'"),
    ("gelu", {"approximate": "erf"}, "approximate of gelu in 'none' or 'tanh', found 'erf'"),
    ("softmax", {"dim": 7}, "dim of softmax"),
    ("softmax", {"dim": 1.0}, "dim of softmax"),
    ("prelu", {"num_parameters": 1.5}, "num_parameters of prelu a whole number in"),
    ("clip", {"min": 2.0}, "expected min below max for clip, found 2 and 1. Give both, in order."),
    ("clip", {"min": 1.0, "max": 1.0}, "min below max"),
]


def settings_of(entry):
    """The defaults, then each option in turn at both ends of its range and at 2, or at all of its choices."""
    base = {name: option.default for name, option in entry.options.items()}
    others = [base | {name: value} for name, option in entry.options.items() for value in _values_of(option)]
    return getattr(oracles, f"{entry.name}_settings", [base, *others])


def _values_of(option):
    two = [] if isinstance(option.range, Choice) else [type(option.default)(2)]
    return [*option.range.ends, *(value for value in two if value in option.range)]


CASES = [(entry, options) for entry in ACTIVATIONS.values() for options in settings_of(entry)]
ELEMENTS = [(entry, options) for entry, options in CASES if entry.acts == "element"]
DEFAULTS = [(entry, settings_of(entry)[0]) for entry in ACTIVATIONS.values()]
ACROSS = [(entry, options) for entry, options in DEFAULTS if entry.acts == "dimension"]
OUTPUTS = [(entry, options) for entry, options in DEFAULTS if entry.output]


def called(entry, options, x):
    """The function on a flat ``x``; one channel for each learned parameter."""
    width = options.get("num_parameters", 1)
    return entry.function(x.reshape(-1, 1).expand(-1, width), **options)[:, 0]


def gradient(entry, options, x):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(called(entry, options, x).sum(), x)[0]


def told(entry, options, x, what=""):
    """What the oracle says at a number, from many digits."""
    return _told(entry.name + what, tuple(options.items()), mp.mpf(x), mp.mp.dps)


@cache  # many checks, and all mutants of an activation, ask the same
def _told(oracle, options, x, digits):
    exact = {name: mp.mpf(value) if isinstance(value, float) else value for name, value in options}
    return getattr(oracles, oracle)(x, **exact)


def told_of_row(entry, row):
    """Values and Jacobian of a row as the oracle has them, as floats."""
    with mp.workdps(80):
        exact = [mp.mpf(x) for x in row]
        found = (getattr(oracles, entry.name + what)(exact) for what in ("", "_derivative"))
        return tuple(np.array(numbers, dtype=float) for numbers in found)


def generic(options):
    shape = (1, options["num_parameters"]) if options.get("num_parameters", 1) > 1 else (2, 2, 1, 2)
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 0.11


def value_and_derivative_are_the_textbooks(entry, options):
    with mp.workdps(60):
        values = [float(told(entry, options, float(x))) for x in POINTS]
        steps = [float(told(entry, options, float(x), "_derivative")) for x in POINTS]
    np.testing.assert_allclose(called(entry, options, POINTS), values, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(gradient(entry, options, POINTS), steps, rtol=1e-10, atol=1e-10)


def rows_and_jacobians_are_the_textbooks(entry, options):
    for row in ROWS:
        values, steps = told_of_row(entry, row)
        at = torch.tensor(row, dtype=torch.float64)
        np.testing.assert_allclose(entry.function(at), values, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(jacobian(entry.function, at), steps, rtol=1e-10, atol=1e-10)


def every_dimension_is_like_the_last(entry, options):
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for dim in entry.options["dim"].range.ends:
        expected = entry.function(x.movedim(dim, -1)).movedim(-1, dim)
        torch.testing.assert_close(entry.function(x, dim=dim), expected, rtol=0.0, atol=1e-15)


def right_at_extremes_of_float32(entry, options):
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


def rows_of_extremes_are_finite_and_right(entry, options):
    for dtype, rounding in ((torch.float32, 1e-6), (torch.bfloat16, 1e-2)):
        x = torch.tensor(EXTREME_ROWS, dtype=dtype, requires_grad=True)
        values = entry.function(x)
        (grad,) = torch.autograd.grad(values[:, 0].sum(), x)
        assert values.dtype == grad.dtype == dtype
        assert bool(values.isfinite().all())
        assert bool(grad.isfinite().all())
        for row, value, slope in zip(x.tolist(), values.tolist(), grad.tolist(), strict=True):
            shares, steps = told_of_row(entry, row)
            np.testing.assert_allclose(value, shares, rtol=10.0 * rounding, atol=rounding)
            np.testing.assert_allclose(slope, steps[0], rtol=10.0 * rounding, atol=rounding)


def right_in_bfloat16(entry, options):
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


def a_module_survives_pickling_and_computes_the_function(entry, options):
    x = generic(options)
    again = pickle.loads(pickle.dumps(entry.module(**options))).double()
    assert again.training
    assert torch.equal(again(x), entry.function(x, **options))
    assert repr(again)


def layer_and_values_are_pytorchs_where_it_has_them(entry, options):
    """To the last bit; in place of its layer, where it has none, stands one of the package's own."""
    layer, function = oracles.PYTORCHS.get(entry.name, (Activation, entry.function))
    assert type(entry.module()) is layer
    for dtype in (torch.float32, torch.float64):
        x = torch.linspace(-30.0, 60.0, 1001, dtype=dtype)
        assert torch.equal(entry.function(x), function(x))


def inverse_gives_the_value_back_in_float32(entry, options):
    inside = torch.linspace(max(entry.range.low, -5.0), min(entry.range.high, 40.0), 101)[1:-1]
    torch.testing.assert_close(entry.function(entry.inverse(inside)), inside, rtol=2e-6, atol=2e-6)


def inverse_is_finite_at_and_beyond_the_ends(entry, options):
    beyond = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])
    back = entry.inverse(beyond)
    assert bool(back.isfinite().all())
    nearest = beyond.clamp(entry.range.low, entry.range.high)
    torch.testing.assert_close(entry.function(back), nearest, rtol=0.0, atol=3e-6)


def wrong_options_are_refused_by_function_and_module(entry, options):
    for name, wrong, message in REFUSED:
        if name == entry.name:
            for call in (entry.module, lambda **options: entry.function(torch.zeros(2), **options)):
                with pytest.raises(BadInput, match=message):
                    call(**wrong)


VALUES = {
    value_and_derivative_are_the_textbooks: ELEMENTS,
    rows_and_jacobians_are_the_textbooks: ACROSS,
    every_dimension_is_like_the_last: ACROSS,
    right_at_extremes_of_float32: ELEMENTS,
    rows_of_extremes_are_finite_and_right: ACROSS,
    right_in_bfloat16: ELEMENTS,
    a_module_survives_pickling_and_computes_the_function: CASES,
    layer_and_values_are_pytorchs_where_it_has_them: DEFAULTS,
    inverse_gives_the_value_back_in_float32: OUTPUTS,
    inverse_is_finite_at_and_beyond_the_ends: OUTPUTS,
    wrong_options_are_refused_by_function_and_module: [
        (entry, options) for entry, options in DEFAULTS if entry.name in {name for name, _, _ in REFUSED}
    ],
}
