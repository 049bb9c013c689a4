"""Every fact of an activation as a measurement that raises AssertionError where the entry says otherwise."""

from __future__ import annotations

import doctest
import math
import re
from itertools import pairwise

import torch
from tests.activation_latex import number, row_is_told
from tests.activation_values import ROWS
from torch import nn
from torch.autograd.functional import jacobian

import losslens

GRID = torch.linspace(-12.0, 12.0, 24_001, dtype=torch.float64)  # steps of 1e-3, zero among them
FAR = torch.tensor([-1e6, 1e6], dtype=torch.float64)
SCHEMES = ("He:", "Glorot:", "LeCun:", "LeCun normal:", "SIREN:")


def section(entry, x):
    """The values at ``x``; across a dimension, the first value of rows whose other inputs stand still."""
    if entry.acts == "element":
        return entry.function(x)
    others = torch.tensor([0.5, -0.3], dtype=x.dtype).expand(*x.shape, 2)
    return entry.function(torch.cat([x.unsqueeze(-1), others], -1))[..., 0]


def slopes(entry, x, order=1):
    x = x.detach().clone().requires_grad_()
    values = section(entry, x)
    for _ in range(order):
        if not values.requires_grad:
            return torch.zeros_like(x)
        (values,) = torch.autograd.grad(values.sum(), x, create_graph=True)
    return values.detach()


def normal_mean(values):
    """Expectation over a standard normal input, from the values on the grid."""
    density = torch.exp(-GRID.square() / 2.0) / math.sqrt(2.0 * math.pi)
    return float((values * density).sum() * 1e-3)


def rows(count, seed=0, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(8, count, generator=generator, dtype=torch.float64)


def range_is_filled_and_never_left(entry):
    values = section(entry, torch.cat([GRID, FAR]))
    low, high = float(values.min()), float(values.max())
    assert entry.range.low - 1e-12 <= low
    assert high <= entry.range.high + 1e-12
    assert low < (-1e3 if math.isinf(entry.range.low) else entry.range.low + 2e-6)
    assert high > (1e3 if math.isinf(entry.range.high) else entry.range.high - 2e-6)
    assert entry.bounded == (abs(low) < 1e3 and abs(high) < 1e3)


def monotone(entry):
    assert bool((section(entry, GRID).diff() >= -1e-15).all()) == entry.monotone


def formulas_give_values_and_slopes(entry):
    """The LaTeX read as arithmetic: of rows, or of numbers at the defaults and the ends of options that it names."""
    if entry.acts == "dimension":
        for row in ROWS:
            at = torch.tensor(row, dtype=torch.float64)
            slopes_there = jacobian(entry.function, at).tolist()
            row_is_told(entry.formula, entry.derivative, row, entry.function(at).tolist(), slopes_there)
        return
    for options in settings_of(entry):
        x = torch.tensor([-7.3, -2.2, -0.4, 0.3, 0.9, 2.6, 6.7], dtype=torch.float64, requires_grad=True)
        values = entry.function(x, **options)
        (steps,) = torch.autograd.grad(values.sum(), x)
        for latex, found in ((entry.formula, values), (entry.derivative, steps)):
            told = [number(latex, x=at, **options) for at in x.tolist()]
            torch.testing.assert_close(found, torch.tensor(told, dtype=torch.float64), rtol=3e-6, atol=1e-9)


def settings_of(entry):
    """The defaults, then each option that the formula names in turn at both ends of its range."""
    base = {name: option.default for name, option in entry.options.items()}
    ends = [(name, end) for name, option in entry.options.items() for end in option.range.ends]
    varied = [base | {name: end} for name, end in ends if re.search(rf"(?<!\\)\b{name}\b", entry.formula)]
    return [base, *(each for each in varied if each.get("min", 0.0) < each.get("max", 1.0))]


def zero_centred(entry):
    assert (abs(normal_mean(section(entry, GRID))) < 1e-6) == entry.zero_centred


def lipschitz_is_the_steepest_slope(entry):
    if entry.acts == "element":
        steepest = float(slopes(entry, GRID).abs().max())
        assert entry.lipschitz - 1e-3 < steepest <= entry.lipschitz + 1e-12
        return
    few, many = (_steepest(entry, count) for count in (2, 32))
    assert math.isinf(entry.lipschitz) == (many > 2.0 * few)
    assert math.isinf(entry.lipschitz) or entry.lipschitz - 1e-3 < max(few, many) <= entry.lipschitz + 1e-12


def _steepest(entry, count):
    leader = torch.zeros(1, count, dtype=torch.float64)
    leader[0, 0] = 40.0
    at = [torch.zeros(1, count, dtype=torch.float64), leader, *rows(count).split(1)]
    return max(float(torch.linalg.matrix_norm(jacobian(entry.function, row[0]), ord=2)) for row in at)


def kinks_and_smoothness(entry):
    """The slope jumps at every kink of C0, the curvature at every one of C1, and neither anywhere else."""
    order = {"C0": 1, "C1": 2, "C-infinity": None}[entry.smoothness]
    if entry.acts == "dimension":  # where the kinks are depends on the other inputs
        assert not entry.kinks
        assert all(_is_continuous(entry, -12.0, 12.0, by) == (order is None or by < order) for by in (0, 1))
        return
    assert bool(entry.kinks) == (order is not None)
    for kink in entry.kinks:
        near = torch.tensor([kink - 1e-9, kink + 1e-9], dtype=torch.float64)
        jumps = [float(slopes(entry, near, by).diff().abs()) for by in (1, 2)]
        assert jumps[order - 1] > 1e-2
        assert order == 1 or jumps[0] < 1e-6
    ends = [-12.0, *entry.kinks, 12.0]
    for low, high in pairwise(ends):
        assert all(_is_continuous(entry, low + 1e-9, high - 1e-9, by) for by in (0, 1, 2))


def _is_continuous(entry, low, high, order):
    """The largest step between neighbours shrinks with their distance."""
    coarse, fine = (
        float(slopes(entry, torch.linspace(low, high, count, dtype=torch.float64), order).diff().abs().max())
        for count in (20_001, 200_001)
    )
    return fine < 0.3 * coarse + 1e-9


def saturates(entry):
    left, right = (abs(float(slope)) < 1e-8 for slope in slopes(entry, FAR))
    names = {(True, True): "both", (True, False): "left", (False, True): "right", (False, False): "none"}
    assert names[left, right] == entry.saturates


def can_die(entry):
    flat = [bool((slopes(entry, side) == 0.0).all()) for side in (GRID[GRID < -8.0], GRID[GRID > 8.0])]
    assert any(flat) == entry.can_die


def gain_keeps_the_mean_square(entry):
    assert (entry.gain is None) == (entry.acts == "dimension")
    if entry.gain is not None:
        assert math.isclose(entry.gain, normal_mean(entry.function(GRID).square()) ** -0.5, rel_tol=1e-6)


def gain_is_pytorchs_or_said_to_differ(entry):
    try:
        known = nn.init.calculate_gain(entry.name)
    except ValueError:  # not a name that PyTorch knows
        assert entry.pytorch_gain is None
        return
    assert entry.pytorch_gain == (None if math.isclose(known, entry.gain, rel_tol=1e-12) else known)


def deep_stack_keeps_its_size(entry):
    """With weights of variance gain^2 / fan-in the mean square before each activation stays about 1."""
    if entry.gain is not None:
        assert 0.5 < float(_stack(entry, entry.gain, 10)[0].square().mean()) < 2.0


def _stack(entry, gain, depth, mean=0.0, width=512):
    generator = torch.Generator().manual_seed(0)
    x = mean + torch.randn(64, width, generator=generator)
    y = entry.function(x)
    for _ in range(depth):
        x = y @ (torch.randn(width, width, generator=generator) * gain / math.sqrt(width))
        y = entry.function(x)
    return x, y


def keeps_moments(entry):
    values = section(entry, GRID)
    mean, square = normal_mean(values), normal_mean(values.square())
    assert (abs(mean) < 1e-6 and abs(square - 1.0) < 1e-6) == entry.keeps_moments
    if entry.keeps_moments and entry.saturates != "none":  # it also draws other means and variances there
        last = _stack(entry, 1.0, 32, mean=0.5)[1]
        assert abs(float(last.mean())) < 0.1
        assert abs(float(last.var()) - 1.0) < 0.2


def simplex(entry):
    values = torch.cat([entry.function(rows(5, scale=scale)) for scale in (0.1, 2.0, 100.0)])
    shares = bool((values >= 0.0).all()) and bool(((values.sum(-1) - 1.0).abs() < 1e-12).all())
    assert shares == entry.simplex


def shift_invariant(entry):
    assert torch.allclose(entry.function(rows(5) + 3.0), entry.function(rows(5)), atol=1e-12) == entry.shift_invariant


def acts(entry):
    """Whether a value moves with another input of its row, and along ``dim`` only."""
    depends = bool(jacobian(entry.function, rows(5, scale=0.1)[0]).fill_diagonal_(0.0).any())
    assert depends == (entry.acts == "dimension")
    assert ("dim" in entry.options) == depends


def learned(entry):
    assert tuple(name for name, _ in entry.module().named_parameters()) == entry.learned


def outputs_have_inverses(entry):
    assert (entry.inverse is not None) == entry.output
    if entry.inverse is not None:
        inside = torch.linspace(max(entry.range.low, -5.0), min(entry.range.high, 40.0), 101, dtype=torch.float64)
        torch.testing.assert_close(entry.function(entry.inverse(inside[1:-1])), inside[1:-1], rtol=1e-12, atol=1e-12)


def module_computes_the_function(entry):
    module = entry.module()
    assert isinstance(module, nn.Module)
    assert module is not entry.module()
    assert torch.equal(module.double()(GRID), entry.function(GRID))


def words_are_complete(entry):
    sentences = (entry.summary, entry.use, entry.failure)
    assert all(re.fullmatch(r"[A-Z][^\n]{20,115}\.", sentence) for sentence in sentences)
    assert entry.initialisation.startswith(SCHEMES)
    assert re.search(r"\d{4}|none needed", entry.reference)
    assert entry.formula.count("{") == entry.formula.count("}")
    assert entry.derivative.count("{") == entry.derivative.count("}")


def options_are_in_range_and_in_the_formula(entry):
    for name, option in entry.options.items():
        assert option.default in option.range
        told = name in entry.formula or name in ("dim", "approximate", "num_parameters")
        assert told, f"{name} is not in the formula"


def example_runs(entry):
    assert f'losslens.ACTIVATIONS["{entry.name}"]' in entry.example
    names = {"torch": torch, "losslens": losslens}
    test = doctest.DocTestParser().get_doctest(entry.example + "\n", names, entry.name, None, 0)
    printed = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=printed.append)
    assert not printed, "".join(printed)


FACTS = (
    range_is_filled_and_never_left,
    formulas_give_values_and_slopes,
    monotone,
    zero_centred,
    lipschitz_is_the_steepest_slope,
    kinks_and_smoothness,
    saturates,
    can_die,
    gain_keeps_the_mean_square,
    gain_is_pytorchs_or_said_to_differ,
    deep_stack_keeps_its_size,
    keeps_moments,
    simplex,
    shift_invariant,
    acts,
    learned,
    outputs_have_inverses,
    module_computes_the_function,
    words_are_complete,
    options_are_in_range_and_in_the_formula,
    example_runs,
)
