"""Losses against their lines of PyTorch and against each other; tests/test_domains.py draws from their domains."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.contract_mathematics import gradient
from tests.samples import Sample, draw, draw_parameters, every_setting, oracle_gradient, oracle_of

import losslens
from losslens.losses import LOSSES
from losslens.losses.expectation import expected_log1p
from losslens.losses.robust import general
from losslens.losses.unit import continuous_bernoulli_mean

ENTRIES = list(LOSSES.values())
PROVEN = [entry for entry in ENTRIES if not entry.graph]
each_loss = pytest.mark.parametrize("entry", ENTRIES, ids=list(LOSSES))


SINGULAR = {("barron", "shape", 2.0), ("tweedie", "power", 1.0)}  # where a textbook formula divides by zero


@pytest.mark.parametrize("entry", PROVEN, ids=[entry.name for entry in PROVEN])
def test_line_of_pytorch_gives_the_same_mean(entry):
    arguments = draw(entry, rows=6).arguments
    for chosen in [draw(entry).settings, *every_setting(entry, features=5)]:
        options = {name: chosen[name] for name in entry.options}
        if any((entry.name, *option) in SINGULAR for option in options.items()):
            continue
        rest = {"rest": 1.0 - options.get("mix", 0.0), "b": abs(options.get("shape", 0.0) - 2.0)}
        parameters = {name: chosen[name] for name in entry.parameters}
        line = eval(entry.torch_line.format(**rest | options), {"torch": torch, "losslens": losslens, **parameters})
        expected = entry.function(*arguments.values(), **chosen)
        torch.testing.assert_close(line(*arguments.values()), expected, rtol=1e-6, atol=1e-7)


@each_loss
def test_every_loss_has_an_oracle_of_its_own(entry):
    assert oracle_of(entry).__name__ == entry.name
    wanted = {argument.name for argument in entry.family.arguments} | {*entry.options, *entry.parameters}
    assert set(inspect.signature(oracle_of(entry)).parameters) == wanted


@each_loss
def test_the_package_gives_the_catalogues_function(entry):
    assert getattr(losslens, entry.name) is entry.function
    names = set(inspect.signature(entry.function).parameters)
    own = {argument.name for argument in entry.family.arguments}
    assert names == own | {*entry.options, *entry.parameters, *entry.extras, "weight", "mask", "reduction"}


def test_smooth_l1_is_huber_over_its_width():
    sample = draw(LOSSES["huber"])
    for width in (0.1, 1.0, 30.0):
        scaled = losslens.huber(sample.output, sample.target, delta=width) / width
        torch.testing.assert_close(losslens.smooth_l1(sample.output, sample.target, beta=width), scaled)


def test_the_mixture_holds_both_its_ends():
    output, target = draw(LOSSES["mse"]).output, draw(LOSSES["mse"]).target
    for mix, pure in ((0.0, losslens.mse), (1.0, losslens.mae)):
        torch.testing.assert_close(losslens.l1_plus_l2(output, target, mix=mix), pure(output, target))


def test_negative_binomial_becomes_poisson_without_losing_digits():
    sample = draw(LOSSES["poisson"], rows=50)
    poisson = losslens.poisson(sample.output, sample.target, reduction="none")
    apart = [
        (
            losslens.negative_binomial(
                sample.output, sample.target, inverse_dispersion=torch.tensor(theta), reduction="none"
            )
            - poisson
        )
        .abs()
        .max()
        for theta in (1e4, 1e5, 1e6)
    ]
    assert apart[2] < 1e-2
    assert 8.0 < apart[0] / apart[1] < 12.0  # the difference falls as 1 / theta, down to the last
    assert 8.0 < apart[1] / apart[2] < 12.0


@pytest.mark.parametrize("name", ["poisson", "negative_binomial"])
def test_a_rate_that_underflowed_recovers(name):
    entry = LOSSES[name]
    settings = draw_parameters(entry, 1, torch.Generator().manual_seed(0), torch.float32)
    sample = Sample({"output": torch.zeros(1, 1), "target": torch.full((1, 1), 3.0)}, settings)
    assert torch.isfinite(entry.function(sample.output, sample.target, **settings))
    assert -1e32 < gradient(entry.function, sample)[0, 0] < -1e28


def test_cosine_is_exact_for_small_angles():
    """One minus a rounded similarity would be zero below 1e-8 and have no correct digit soon above."""
    for angle in (1e-3, 1e-6, 1e-9):
        output = torch.tensor([[np.cos(angle), np.sin(angle)]])
        found = losslens.cosine(output.double(), torch.tensor([[1.0, 0.0]], dtype=torch.float64))
        np.testing.assert_allclose(float(found), 2.0 * np.sin(angle / 2.0) ** 2, rtol=1e-9)


def test_pearson_in_float32_sees_small_differences_on_a_large_offset():
    sample = draw(LOSSES["pearson"], rows=8, features=200)
    offset = 1e4
    coarse = Sample({name: (tensor + offset).float() for name, tensor in sample.arguments.items()}, {})
    exact = losslens.pearson(coarse.output.double(), coarse.target.double(), reduction="none")
    found = losslens.pearson(coarse.output, coarse.target, reduction="none").double()
    torch.testing.assert_close(found, exact, rtol=0.0, atol=2e-6)


@pytest.mark.parametrize("logit", [-1e4, -30.0, -0.3, -0.2, -1e-9, 0.0, 0.1999, 0.2001, 3.0, 500.0])
def test_continuous_bernoulli_mean_is_the_derivative_of_its_normaliser(logit):
    """Of an exponential family, the mean is the slope of the log normaliser: of the loss at target zero."""
    entry = LOSSES["continuous_bernoulli"]
    numbers = {"output": torch.full((1, 1), logit), "target": torch.zeros(1, 1)}
    at = Sample({name: tensor.double() for name, tensor in numbers.items()}, {})
    np.testing.assert_allclose(
        float(continuous_bernoulli_mean(at.output)), gradient(entry.function, at)[0, 0], rtol=1e-9
    )


@pytest.mark.parametrize("name", ["poisson", "negative_binomial"])
def test_laplace_transform_is_the_distributions(name):
    entry = LOSSES[name]
    counts = torch.arange(3000.0, dtype=torch.float64).view(-1, 1)
    rate = torch.tensor([[0.3, 2.0, 9.0]], dtype=torch.float64)
    learned = {parameter: torch.tensor([0.5, 1.0, 40.0], dtype=torch.float64) for parameter in entry.parameters}
    wide = counts.expand(-1, 3)
    mass = torch.exp(-entry.function(rate.expand_as(wide), wide, reduction="none", **learned))
    for s in (1e-3, 0.5, 4.0):
        expected = (mass * torch.exp(-s * counts)).sum(0).log()
        found = entry.log_laplace(rate, torch.full((1, 1), s, dtype=torch.float64), **learned)
        torch.testing.assert_close(found[0], expected, rtol=1e-9, atol=1e-9)
    scale = torch.full((1, 1), 0.7, dtype=torch.float64)
    logs = expected_log1p(lambda s: entry.log_laplace(rate, s, **learned), scale, 9.0)
    torch.testing.assert_close(logs[0], (mass * torch.log1p(0.7 * counts)).sum(0), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [-99.9, -65.0, -2.0, -1e-7, 2e-6, 1.0, 1.5, 1.9999, 1.999999])
def test_barrons_pull_on_an_outlier_keeps_its_sign_and_its_digits(shape, dtype):
    """A difference of two terms near 1e-2 would leave rounding of either sign where next to nothing should be left."""
    errors = torch.tensor([[1e-3, 0.5, 3.0, 15.0, 1e3]], dtype=dtype)
    sample = Sample({"output": errors, "target": 0.0 * errors}, {"shape": shape, "scale": 1.0})
    found, expected = gradient(losslens.barron, sample), oracle_gradient(LOSSES["barron"], sample)
    np.testing.assert_allclose(found, expected, rtol=1e-4 if dtype == torch.float32 else 1e-10, atol=1e-37)


@pytest.mark.parametrize("shape", [1e-40, 1e-7, 1.0, 1.999999, 2.0])
def test_barrons_shape_has_a_gradient_wherever_it_is_learned(shape):
    learned = torch.tensor(shape, requires_grad=True)
    value = general(torch.tensor([1e-30, 0.5, 1e10]), learned)[:2].sum()
    assert torch.autograd.grad(value, learned)[0].isfinite()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", ["cosine", "pearson", "cosine_proximity", "negative_cosine", "cosine_embedding"])
def test_no_cosine_leaves_its_bounds_by_rounding(name, dtype):
    """Of rows that agree, are opposite, or are zero: one minus a similarity lies in [0, 2]."""
    rows = torch.randn(5000, 7, generator=torch.Generator().manual_seed(0)).to(dtype)
    lengths = (torch.rand(5000, 1, generator=torch.Generator().manual_seed(1)) + 0.1).to(dtype)
    least = -1.0 if name in ("cosine_proximity", "negative_cosine") else 0.0
    signs = {"y": torch.ones(5000, dtype=dtype)} if name == "cosine_embedding" else {}
    for other in (lengths * rows, -lengths * rows, 0.0 * rows):
        found = getattr(losslens, name)(other, rows, reduction="none", **signs)
        assert bool(((found >= least) & (found <= least + 2.0)).all())
    nothing = getattr(losslens, name)(0.0 * rows, 0.0 * rows, reduction="none", **signs)
    assert bool((nothing == least).all())


def test_entry_knows_its_options_and_parameters():
    huber, binomial = LOSSES["huber"], LOSSES["negative_binomial"]
    assert (list(huber.options), list(huber.parameters)) == (["delta"], [])
    assert (list(binomial.options), list(binomial.parameters)) == ([], ["inverse_dispersion"])
    assert huber.options["delta"].default in huber.options["delta"].range


def test_a_loss_added_by_a_session_is_called_by_name():
    entry = replace(LOSSES["mae"], name="my_mae", aliases=())
    LOSSES.add(entry)
    try:
        assert float(losslens.my_mae(torch.tensor([3.0]), torch.tensor([1.0]))) == 2.0
    finally:
        LOSSES.remove("my_mae")
    assert not hasattr(losslens, "my_mae")


@pytest.mark.parametrize(
    ("shape", "name", "widened"), [(1.0, "charbonnier", 1.0), (0.0, "cauchy", 2.0**0.5), (-2.0, "geman_mcclure", 2.0)]
)
def test_barron_is_the_losses_that_its_page_names(shape, name, widened):
    error, scale = torch.linspace(-5.0, 5.0, 21, dtype=torch.float64), 0.7
    general = scale**2 * losslens.barron(error, 0.0 * error, shape=shape, scale=scale, reduction="none")
    named = getattr(losslens, name)(error, 0.0 * error, scale=widened * scale, reduction="none")
    torch.testing.assert_close(general, named * (scale if name == "charbonnier" else 1.0))


def test_barron_nears_welsch():
    error, scale = torch.linspace(-3.0, 3.0, 21, dtype=torch.float64), 0.7
    general = scale**2 * losslens.barron(error, 0.0 * error, shape=-100.0, scale=scale, reduction="none")
    named = losslens.welsch(error, 0.0 * error, scale=2.0**0.5 * scale, reduction="none")
    torch.testing.assert_close(general, named, rtol=0.05, atol=0.0)
