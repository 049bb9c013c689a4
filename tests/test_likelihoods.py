"""Likelihoods against PyTorch, SciPy and each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import brentq
from tests.samples import Sample, draw, oracle_gradient, oracle_values
from torch import distributions
from torch.nn import functional

import losslens
from losslens.losses import LOSSES
from losslens.losses.expectation import expected_log1p
from losslens.losses.unit import continuous_bernoulli_mean
from losslens.vocabulary.errors import BadInput

PYTORCH = {
    "gaussian": lambda m, scale: distributions.Normal(m, scale),
    "laplace": lambda m, scale: distributions.Laplace(m, scale),
    "student_t": lambda m, degrees_of_freedom, scale: distributions.StudentT(degrees_of_freedom, m, scale),
    "log_normal": lambda m, scale: distributions.LogNormal(m, scale),
    "bernoulli": lambda m: distributions.Bernoulli(logits=m),
    "continuous_bernoulli": lambda m: distributions.ContinuousBernoulli(logits=m),
    "beta": lambda m, concentration: distributions.Beta(concentration * m.sigmoid(), concentration * (-m).sigmoid()),
    "poisson": lambda m: distributions.Poisson(m),
    "negative_binomial": lambda m, inverse_dispersion: distributions.NegativeBinomial(
        inverse_dispersion, logits=(m / inverse_dispersion).log()
    ),
}
SCIPY = {
    "gaussian": lambda x, m, scale: stats.norm.logpdf(x, m, scale),
    "laplace": lambda x, m, scale: stats.laplace.logpdf(x, m, scale),
    "student_t": lambda x, m, degrees_of_freedom, scale: stats.t.logpdf(x, degrees_of_freedom, m, scale),
    "log_normal": lambda x, m, scale: stats.lognorm.logpdf(x, scale, scale=np.exp(m)),
    "bernoulli": lambda x, m: stats.bernoulli.logpmf(x, 1.0 / (1.0 + np.exp(-m))),
    "beta": lambda x, m, concentration: stats.beta.logpdf(
        x, concentration / (1.0 + np.exp(-m)), concentration / (1.0 + np.exp(m))
    ),
    "poisson": lambda x, m: stats.poisson.logpmf(x, m),
    "negative_binomial": lambda x, m, inverse_dispersion: stats.nbinom.logpmf(
        x, inverse_dispersion, inverse_dispersion / (inverse_dispersion + m)
    ),
}


def _nats(name, sample, **settings):
    return LOSSES[name].function(sample.output, sample.target, reduction="none", **sample.settings | settings)


def _double(*numbers):
    return torch.tensor(numbers, dtype=torch.float64).view(1, -1)


@pytest.mark.parametrize("name", PYTORCH)
def test_value_and_gradient_are_those_of_pytorchs_distribution(name):
    sample = draw(LOSSES[name], rows=20)
    slopes = []
    for nats in (
        lambda output: _nats(name, sample.put(output=output)),
        lambda output: -PYTORCH[name](output, **sample.settings).log_prob(sample.target),
    ):
        output = sample.output.clone().requires_grad_()
        values = nats(output)
        slopes.append((values.detach(), torch.autograd.grad(values.sum(), output)[0]))
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", SCIPY)
def test_value_is_scipys(name):
    sample = draw(LOSSES[name], rows=20, seed=1)
    numbers = {key: value.numpy() for key, value in sample.settings.items()}
    expected = -SCIPY[name](sample.target.numpy(), sample.output.numpy(), **numbers)
    np.testing.assert_allclose(_nats(name, sample).numpy(), expected, rtol=1e-9, atol=1e-10)


def test_zero_inflated_counts_are_a_mixture_of_zeros_and_scipys_counts():
    counts, mean, odds, theta = np.arange(30.0), 4.0, 0.5, 2.0
    settings = {"zero_odds": _double(odds)[0], "inverse_dispersion": _double(theta)[0]}
    laws = {
        "zero_inflated_poisson": stats.poisson(mean),
        "zero_inflated_negative_binomial": stats.nbinom(theta, theta / (theta + mean)),
    }
    for name, law in laws.items():
        mass = law.pmf(counts) / (1.0 + odds) + (counts == 0) * odds / (1.0 + odds)
        wanted = {key: settings[key] for key in LOSSES[name].parameters}
        target = torch.tensor(counts).view(1, -1)
        found = LOSSES[name].function(torch.full_like(target, mean), target, reduction="none", **wanted)
        np.testing.assert_allclose(found[0].numpy(), -np.log(mass), rtol=1e-9)
        predicted = LOSSES[name].prediction(_double(mean), **wanted)
        assert float(predicted) == pytest.approx(float(law.mean() / (1.0 + odds)))


@pytest.mark.parametrize("name", ["gaussian", "laplace", "student_t", "beta_nll"])
@pytest.mark.parametrize("shape", [(), (5,), (4, 1), (4, 5)], ids=["all", "feature", "sample", "element"])
def test_a_scale_may_be_one_per_feature_sample_or_element(name, shape):
    entry = LOSSES[name]
    sample = draw(entry)
    scale = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
    rest = {key: value for key, value in sample.settings.items() if key != "scale"}
    together = entry.function(sample.output, sample.target, reduction="none", scale=scale, **rest)
    for place in np.ndindex(4, 5):
        output, target, own = (t.expand(4, 5)[place].view(1, 1) for t in (sample.output, sample.target, scale))
        alone = entry.function(output, target, reduction="none", scale=own, **rest)
        torch.testing.assert_close(together[place], alone[0, 0], rtol=1e-13, atol=1e-14)


def test_gaussian_is_pytorchs_full_one_for_a_variance_of_every_element():
    sample = draw(LOSSES["gaussian"])
    scale = sample.target.abs() + 0.1
    expected = functional.gaussian_nll_loss(sample.output, sample.target, scale.square(), full=True, reduction="none")
    torch.testing.assert_close(_nats("gaussian", sample, scale=scale), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_gradient_of_beta_nll_is_the_residual_times_a_power_of_the_variance(beta):
    sample = draw(LOSSES["beta_nll"])
    output, scale = sample.output.clone().requires_grad_(), sample.settings["scale"].clone().requires_grad_()
    values = losslens.beta_nll(output, sample.target, scale=scale, beta=beta, reduction="none")
    by_output, by_scale = torch.autograd.grad(values.sum(), (output, scale))
    residual = sample.output - sample.target
    expected = scale.detach() ** (2.0 * (beta - 1.0)) * residual
    torch.testing.assert_close(by_output, expected, rtol=1e-12, atol=1e-14)
    nats = losslens.gaussian(sample.output, sample.target, scale=scale, reduction="none")
    weight = scale.detach() ** (2.0 * beta)
    torch.testing.assert_close(values, weight * nats, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(by_scale, weight * torch.autograd.grad(nats.sum(), scale)[0], rtol=1e-12, atol=1e-14)


def test_beta_nll_at_its_ends_is_gaussian_and_has_the_gradient_of_mse():
    sample = draw(LOSSES["beta_nll"])
    scale = sample.settings["scale"]
    nats = losslens.gaussian(sample.output, sample.target, scale=scale, reduction="none")
    torch.testing.assert_close(_nats("beta_nll", sample, beta=0.0), nats)
    slopes = []
    for loss in (lambda o, t: losslens.beta_nll(o, t, scale=scale, beta=1.0), lambda o, t: losslens.mse(o, t) / 2.0):
        output = sample.output.clone().requires_grad_()
        slopes.append(torch.autograd.grad(loss(output, sample.target), output)[0])
    torch.testing.assert_close(*slopes)


def test_calibrated_gaussian_is_gaussian_at_its_best_scale():
    sample = draw(LOSSES["calibrated_gaussian"], rows=7)
    error = functional.mse_loss(sample.output, sample.target)
    best = losslens.gaussian(sample.output, sample.target, scale=error.sqrt())
    found = losslens.calibrated_gaussian(sample.output, sample.target)
    torch.testing.assert_close(found, best, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found, 2.5 * (2.0 * torch.pi * torch.e * error).log(), rtol=1e-9, atol=1e-9)
    for factor in (0.9, 1.1):
        assert found < losslens.gaussian(sample.output, sample.target, scale=factor * error.sqrt())


def test_gradient_of_calibrated_gaussian_is_that_of_the_logarithm_of_mse():
    sample = draw(LOSSES["calibrated_gaussian"], rows=7)
    output = sample.output.clone().requires_grad_()
    (found,) = torch.autograd.grad(losslens.calibrated_gaussian(output, sample.target), output)
    (expected,) = torch.autograd.grad(2.5 * functional.mse_loss(output, sample.target).log(), output)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


def test_scale_of_calibrated_gaussian_does_not_fall_below_its_floor():
    rows = torch.zeros(2, 3)
    exact = losslens.calibrated_gaussian(rows, rows)
    assert float(exact) == pytest.approx(3.0 * (-6.0 + 0.5 * np.log(2.0 * np.pi)), rel=1e-6)
    assert losslens.calibrated_gaussian(rows + 1e-9, rows) == exact
    assert losslens.calibrated_gaussian(rows + 1e-2, rows) > exact + 1.0


@pytest.mark.parametrize(
    ("mean", "parameter"), [(0.45, 0.354), (0.4, 0.226), (0.3, 0.0646), (0.2, 0.00815), (0.1, 4.6e-5), (0.05, 2e-9)]
)
def test_best_parameter_of_continuous_bernoulli_is_more_extreme_than_the_mean(mean, parameter):
    def slope(logit):
        output = _double(logit).requires_grad_()
        return float(torch.autograd.grad(losslens.continuous_bernoulli(output, _double(mean)), output)[0])

    best = brentq(slope, -50.0, 50.0, xtol=1e-12)
    assert 1.0 / (1.0 + np.exp(-best)) == pytest.approx(parameter, rel=0.05)
    assert float(continuous_bernoulli_mean(_double(best))) == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize(
    ("parameter", "log_constant"),
    [(0.4, 0.707), (0.25, 0.787), (0.1, 1.010), (0.05, 1.185), (0.01, 1.545), (0.001, 1.935)],
)
def test_normaliser_of_continuous_bernoulli(parameter, log_constant):
    logit, target = _double(np.log(parameter / (1.0 - parameter))), _double(0.3)
    apart = losslens.bernoulli.entry.element(logit, target) - losslens.continuous_bernoulli(logit, target)
    assert float(apart) == pytest.approx(log_constant, abs=6e-4)


LIMITS = {
    "zero_inflated_poisson": ("poisson", {}, "zero_odds", (1e-4, 1e-5, 1e-6)),
    "zero_inflated_negative_binomial": ("negative_binomial", {"inverse_dispersion": 2.0}, "zero_odds", (1e-4, 1e-5)),
    "negative_binomial": ("poisson", {}, "inverse_dispersion", (1e4, 1e5, 1e6)),
    "student_t": ("gaussian", {"scale": 1.5}, "degrees_of_freedom", (1e4, 1e5, 1e6)),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_likelihood_falls_to_its_limit_down_to_the_last_digit(name):
    """The difference falls in proportion to the parameter: were it rounding, it would stay."""
    simple, common, parameter, sizes = LIMITS[name]
    sample = draw(LOSSES[simple], rows=50)
    sample = sample.put(output=sample.output.clamp_max(5.0))  # a lost zero must be rare beside a likely one
    common = {key: torch.tensor(value, dtype=torch.float64) for key, value in common.items()}
    limit = LOSSES[simple].function(sample.output, sample.target, reduction="none", **common)
    apart = []
    for size in sizes:
        settings = common | {parameter: torch.tensor(size, dtype=torch.float64)}
        found = LOSSES[name].function(sample.output, sample.target, reduction="none", **settings)
        apart.append(float((found - limit).abs().max()))
    assert apart[-1] < 1e-2
    assert all(8.0 < one / other < 12.0 for one, other in pairwise(apart))


COUNTS = ["poisson", "negative_binomial", "zero_inflated_poisson", "zero_inflated_negative_binomial"]


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("theta", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("odds", [1e-6, 1.0, 1e6])
def test_large_counts_keep_their_digits_in_float32(name, theta, odds):
    """Terms of ten million each must not leave a rounding error of one."""
    counts = torch.tensor([0.0, 1.0, 99.0, 101.0, 1e4, 1e6]).view(-1, 1)
    ratio = torch.tensor([[1e-3, 0.4, 0.6, 0.99, 1.0, 1.01, 3.0, 1e3]])
    settings = {"inverse_dispersion": torch.tensor(theta), "zero_odds": torch.tensor(odds)}
    own = {key: settings[key] for key in LOSSES[name].parameters}
    sample = Sample({"output": counts.clamp_min(1.0) * ratio, "target": counts.expand(-1, 8).contiguous()}, own)
    output = sample.output.requires_grad_()
    found = _nats(name, sample)
    np.testing.assert_allclose(found.detach().numpy(), oracle_values(LOSSES[name], sample), rtol=2e-6, atol=1e-3)
    (slope,) = torch.autograd.grad(found.sum(), output)
    np.testing.assert_allclose(slope.numpy(), oracle_gradient(LOSSES[name], sample), rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("name", COUNTS)
def test_large_counts_among_small_ones_compile_and_have_second_derivatives(name):
    sample = draw(LOSSES[name], rows=3, features=2)
    sample = sample.put(target=sample.target + torch.tensor([[0.0, 3000.0], [200.0, 0.0], [0.0, 0.0]]))
    sample = sample.put(output=sample.target * 0.9 + 1.0)
    torch._dynamo.reset()
    compiled = torch.compile(LOSSES[name].function, backend="aot_eager", fullgraph=True)
    found = compiled(sample.output, sample.target, reduction="none", **sample.settings)
    torch.testing.assert_close(found, _nats(name, sample), rtol=1e-12, atol=1e-12)
    own = [value.requires_grad_() for value in sample.settings.values()]

    def nats(output, *values):
        return _nats(name, sample.put(output=output), **dict(zip(sample.settings, values, strict=True)))

    inputs = (sample.output.requires_grad_(), *own)
    assert torch.autograd.gradcheck(nats, inputs)
    assert torch.autograd.gradgradcheck(nats, inputs)


@pytest.mark.parametrize("name", COUNTS)
def test_large_counts_in_bfloat16_meet_parameters_in_float32(name):
    """Of some counts the other form is computed: both must have one type, whatever the parameters have."""
    counts, rates = torch.tensor([[3.0, 200.0, 65024.0]]), torch.tensor([[4.0, 190.0, 60160.0]])
    for shape in ((), (3,)):
        learned = {parameter: torch.full(shape, 2.0) for parameter in LOSSES[name].parameters}
        found = LOSSES[name].function(rates.bfloat16(), counts.bfloat16(), reduction="none", **learned)
        expected = LOSSES[name].function(rates, counts, reduction="none", **learned)
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), expected, rtol=2.0**-8, atol=0.0)


@pytest.mark.parametrize("name", COUNTS)
def test_a_rate_of_zero_has_a_finite_value_and_a_way_up(name):
    own = {key: torch.tensor(1.0) for key in LOSSES[name].parameters}
    for count in (0.0, 3.0, 1e6):
        rate = torch.zeros(1, 1, requires_grad=True)
        value = LOSSES[name].function(rate, torch.full((1, 1), count), **own)
        (slope,) = torch.autograd.grad(value, rate)
        assert bool(value.isfinite())
        assert bool(slope.isfinite())
        assert (slope < -1e28) if count else (slope > 0.0)


@pytest.mark.parametrize("name", ["zero_inflated_poisson", "zero_inflated_negative_binomial"])
@pytest.mark.parametrize("odds", [1e-6, 0.3, 1e6])
def test_laplace_transform_of_inflated_counts_is_the_distributions(name, odds):
    entry, counts = LOSSES[name], torch.arange(3000.0, dtype=torch.float64).view(-1, 1)
    rate = _double(0.3, 2.0, 9.0)
    learned = {"zero_odds": _double(odds)[0], "inverse_dispersion": _double(0.5, 1.0, 40.0)[0]}
    learned = {key: learned[key] for key in entry.parameters}
    wide = counts.expand(-1, 3)
    mass = torch.exp(-entry.function(rate.expand_as(wide), wide, reduction="none", **learned))
    for s in (1e-6, 1e-3, 0.5, 4.0, 200.0):
        expected = (mass * torch.exp(-s * counts)).sum(0)
        found = entry.log_laplace(rate, _double(s), **learned)
        torch.testing.assert_close(found[0].exp(), expected, rtol=1e-9, atol=1e-12)
    logs = expected_log1p(lambda s: entry.log_laplace(rate, s, **learned), _double(0.7), 9.0)
    torch.testing.assert_close(logs[0], (mass * torch.log1p(0.7 * counts)).sum(0), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("concentration", [1e-2, 1.0, 29.0, 31.0, 1e3, 1e6])
def test_beta_keeps_its_digits_where_data_lie_at_the_mean(concentration):
    """There the normaliser and the rest are about as large as the concentration, and their sum is small."""
    target = torch.tensor([1e-6, 0.01, 0.3, 0.5, 0.77, 0.99, 0.99999]).view(-1, 1).expand(-1, 5).contiguous()
    spread = torch.tensor([[-2.0, -0.5, 0.0, 0.5, 2.0]]) / max(concentration, 1.0) ** 0.5
    sample = Sample(
        {"output": target.logit() + spread, "target": target}, {"concentration": torch.tensor(concentration)}
    )
    output = sample.output.requires_grad_()
    found = _nats("beta", sample)
    np.testing.assert_allclose(found.detach().numpy(), oracle_values(LOSSES["beta"], sample), rtol=1e-5, atol=2e-4)
    (slope,) = torch.autograd.grad(found.sum(), output)
    expected = oracle_gradient(LOSSES["beta"], sample)
    np.testing.assert_allclose(slope.numpy(), expected, rtol=1e-3, atol=2e-3 * np.sqrt(concentration) + 1e-5)


@pytest.mark.parametrize("size", [1e-3, 1e3, 1e12, 1e30])
def test_the_pull_of_an_outlier_on_student_t_falls_with_its_distance(size):
    learned = {"degrees_of_freedom": torch.tensor(3.0), "scale": torch.tensor(1.0)}
    output = torch.full((1, 1), size, requires_grad=True)
    (slope,) = torch.autograd.grad(losslens.student_t(output, torch.zeros(1, 1), **learned), output)
    assert float(slope) == pytest.approx(4.0 * size / (3.0 + size**2), rel=1e-4)


def test_predictions_are_means_or_medians_of_the_distributions():
    output, scale = torch.tensor([-1.0, 0.0, 2.0]), torch.tensor(0.7)
    log_normal, beta = LOSSES["log_normal"].prediction, LOSSES["beta"].prediction
    torch.testing.assert_close(
        log_normal(output, scale=scale), distributions.LogNormal(output, scale).icdf(scale * 0 + 0.5)
    )
    shapes = (3.0 * output.sigmoid(), 3.0 * (-output).sigmoid())
    torch.testing.assert_close(beta(output, concentration=torch.tensor(3.0)), distributions.Beta(*shapes).mean)


@pytest.mark.parametrize("name", ["gaussian", "student_t", "beta", "zero_inflated_negative_binomial"])
def test_a_loss_called_without_its_parameters_names_them(name):
    sample = draw(LOSSES[name])
    with pytest.raises(BadInput) as caught:
        LOSSES[name].function(sample.output, sample.target)
    assert all(parameter in str(caught.value) for parameter in LOSSES[name].parameters)
