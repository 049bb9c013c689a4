"""Losses of latent distributions: against sampling, against each other, and at the ends of what floats can hold."""

from __future__ import annotations

import math

import mpmath as mp
import pytest
import torch
from tests.oracles.latent import kl_gaussians as exact_kl
from torch.autograd import gradcheck
from torch.distributions import Normal, kl_divergence

import losslens
from losslens.losses.latent import exp_excess
from losslens.vocabulary.errors import BadInput

KERNELS = ["gaussian", "inverse multiquadric"]


def posterior(seed=0, rows=3, latent=4):
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(rows, latent, generator=generator, dtype=torch.float64)
    return mean, torch.randn(rows, latent, generator=generator, dtype=torch.float64)


def normal(mean, log_variance):
    return Normal(mean, (log_variance / 2.0).exp())


def column(*numbers, dtype=torch.float32):
    return [torch.tensor([[number]], dtype=dtype, requires_grad=True) for number in numbers]


def test_divergence_is_the_mean_of_log_ratios():
    """By reparametrised samples: the logarithm of posterior over prior, at points of the posterior."""
    mean, log_variance = posterior(rows=2, latent=2)
    noise = torch.randn(200_000, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    points = mean + (log_variance / 2.0).exp() * noise
    other = posterior(seed=5, rows=2, latent=2)
    nothing = (torch.zeros_like(mean), torch.zeros_like(mean))
    priors = {losslens.kl_standard_normal: nothing, losslens.kl_gaussians: other}
    for loss, prior in priors.items():
        ratios = (normal(mean, log_variance).log_prob(points) - normal(*prior).log_prob(points)).sum(-1)
        error = ratios.std(0) / math.sqrt(len(ratios))
        given = (mean, log_variance) if prior is nothing else (mean, log_variance, *prior)
        found = loss(*given, reduction="none")
        assert bool(((found - ratios.mean(0)).abs() < 4.0 * error).all())
        assert bool((error < 0.02 * found).all())


def test_divergences_are_those_of_torch():
    one, other = posterior(), posterior(seed=5)
    found = losslens.kl_gaussians(*one, *other, reduction="none")
    torch.testing.assert_close(found, kl_divergence(normal(*one), normal(*other)).sum(1))
    nothing = torch.zeros_like(one[0])
    standard = losslens.kl_standard_normal(*one, reduction="none")
    torch.testing.assert_close(standard, losslens.kl_gaussians(*one, nothing, nothing, reduction="none"))
    torch.testing.assert_close(standard, losslens.free_bits(*one, bits=0.0, reduction="none"))


def test_divergence_is_not_symmetric_and_zero_for_equals_alone():
    one, other = posterior(), posterior(seed=5)
    assert not losslens.kl_gaussians(*one, *one, reduction="none").any()
    forth, back = (losslens.kl_gaussians(*pair, reduction="none") for pair in ((*one, *other), (*other, *one)))
    assert bool((forth > 0.1).all())
    assert (forth - back).abs().max() > 0.1


def test_divergence_does_not_depend_on_the_unit_of_measurement():
    """Both Gaussians moved and stretched alike stay as far apart as they were."""
    (mean, log_variance), (prior_mean, prior_log_variance) = posterior(), posterior(seed=5)
    expected = losslens.kl_gaussians(mean, log_variance, prior_mean, prior_log_variance)
    for size, level in ((1e-6, 0.0), (3.0, 2.0), (1e6, -7.0)):
        wider = 2.0 * math.log(size)
        found = losslens.kl_gaussians(
            size * mean + level, log_variance + wider, size * prior_mean + level, prior_log_variance + wider
        )
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("log_variance", [1e-6, 1e-3, -1e-3, 0.0999, 0.1001, -0.0999, -0.1001, 2.0])
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 3e-5), (torch.float64, 1e-12)])
def test_a_posterior_near_the_prior_keeps_its_digits(log_variance, dtype, rtol):
    """Subtracted as they stand, exp(x) - 1 - x would lose all its digits below the root of the precision."""
    logarithm = torch.tensor([[log_variance]], dtype=dtype)
    found = losslens.kl_standard_normal(torch.zeros(1, 1, dtype=dtype), logarithm)
    with mp.workdps(40):
        exact = mp.mpf(float(logarithm))
        expected = float((mp.exp(exact) - 1 - exact) / 2)
    assert float(found) == pytest.approx(expected, rel=rtol)


def test_excess_of_the_exponential_is_smooth_where_the_series_ends():
    """Also its derivatives, of the series and of the closed form: exp(x) - 1, exp(x)."""
    for number in (-0.1000001, -0.0999999, -1e-9, 0.0, 1e-9, 0.0999999, 0.1000001):
        at = torch.tensor(number, dtype=torch.float64, requires_grad=True)
        (first,) = torch.autograd.grad(exp_excess(at), at, create_graph=True)
        (second,) = torch.autograd.grad(first, at)
        assert float(first.detach()) == pytest.approx(math.expm1(number), rel=1e-12, abs=1e-300)
        assert float(second) == pytest.approx(math.exp(number), rel=1e-12)


@pytest.mark.parametrize("log_variance", [-200.0, -1e4, -1e30])
def test_a_prior_narrower_than_floats_can_hold(log_variance):
    """Equal means are not apart, however narrow both are; any distance between them is out of range."""
    for numbers, expected in (
        ((0.5, log_variance, 0.5, log_variance), 0.0),
        ((0.5, 0.0, 0.5, log_variance), math.inf),
        ((0.5, log_variance, 0.25, log_variance), math.inf),
    ):
        tensors = column(*numbers)
        value = losslens.kl_gaussians(*tensors)
        assert float(value.detach()) == expected
        assert not any(bool(slope.isnan().any()) for slope in torch.autograd.grad(value, tensors))


def test_a_narrow_prior_within_range_is_exact():
    """Its inverse is held, its square is not: 1e-30 apart at a deviation of 1e-33."""
    numbers = (1e-30, 2.0 * math.log(1e-33), 0.0, 2.0 * math.log(1e-33))
    tensors = column(*numbers)
    with mp.workdps(60):
        expected = float(exact_kl(*([mp.mpf(float(tensor.detach()))] for tensor in tensors)))
    assert float(losslens.kl_gaussians(*tensors).detach()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["kl_standard_normal", "free_bits"])
@pytest.mark.parametrize(
    ("log_variance", "expected", "slope"),
    [(89.0, math.inf, math.inf), (80.0, math.exp(80.0) / 2, math.exp(80.0) / 2), (-1e30, 5e29, -0.5)],
)
def test_variances_at_the_ends_of_float32(name, log_variance, expected, slope):
    tensors = column(0.0, log_variance)
    value = getattr(losslens, name)(*tensors)
    by_mean, by_variance = torch.autograd.grad(value, tensors)
    assert float(value.detach()) == pytest.approx(expected, rel=1e-5)
    assert float(by_variance) == pytest.approx(slope, rel=1e-5)
    assert float(by_mean) == 0.0


def test_curvature_at_the_prior_is_the_fisher_information():
    """One for the mean, one half for the log variance."""
    mean, log_variance = column(0.0, 0.0, dtype=torch.float64)
    value = losslens.kl_standard_normal(mean, log_variance)
    first = torch.autograd.grad(value, (mean, log_variance), create_graph=True)
    second = [float(torch.autograd.grad(s, t)[0]) for s, t in zip(first, (mean, log_variance), strict=True)]
    assert second == pytest.approx([1.0, 0.5])
    given = column(0.3, -1.0, 0.3, -1.0, dtype=torch.float64)
    (slope,) = torch.autograd.grad(losslens.kl_gaussians(*given), given[0], create_graph=True)
    (curvature,) = torch.autograd.grad(slope, given[0])
    assert float(curvature) == pytest.approx(math.e)


def test_free_bits_are_free_for_each_dimension_and_sample():
    """Dimensions of 0.5, 0.02 and 0 nats; the cheap ones pay the allowance and are not pulled."""
    mean = torch.tensor([[1.0, 0.2, 0.0], [0.2, 1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    found = losslens.free_bits(mean, torch.zeros(2, 3, dtype=torch.float64), bits=0.1, reduction="none")
    torch.testing.assert_close(found, torch.tensor([0.7, 1.1], dtype=torch.float64))
    (slope,) = torch.autograd.grad(found.sum(), mean)
    torch.testing.assert_close(slope, torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], dtype=torch.float64))


def test_free_bits_never_fall_below_their_floor():
    mean, log_variance = posterior(rows=50)
    for bits in (0.0, 0.3, 5.0):
        found = losslens.free_bits(mean, log_variance, bits=bits, reduction="none")
        assert bool((found >= 4 * bits - 1e-12).all())
        assert bool((found >= losslens.kl_standard_normal(mean, log_variance, reduction="none") - 1e-12).all())


@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_samples_have_no_discrepancy(kernel):
    code, _ = posterior(rows=7)
    assert losslens.mmd(code, code.flip(0), kernel=kernel).abs() < 1e-14
    assert losslens.mmd(code, code.repeat(3, 1), kernel=kernel).abs() < 1e-14


@pytest.mark.parametrize(("kernel", "far"), [("gaussian", math.exp(-2.0)), ("inverse multiquadric", 0.2)])
def test_discrepancy_of_two_points(kernel, far):
    """Two bandwidths apart: twice one less the kernel's value there."""
    one, other = torch.zeros(1, 1, dtype=torch.float64), torch.full((1, 1), 6.0, dtype=torch.float64)
    assert losslens.mmd(one, other, bandwidth=3.0, kernel=kernel) == pytest.approx(2.0 - 2.0 * far)


@pytest.mark.parametrize("kernel", KERNELS)
def test_discrepancy_is_the_biased_estimate_written_out(kernel):
    code, prior = posterior(rows=4, latent=3)[0], posterior(seed=5, rows=6, latent=3)[0]

    def likeness(x, y):
        squared = ((x - y) / 1.5).square().sum()
        return torch.exp(-squared / 2.0) if kernel == "gaussian" else 1.0 / (1.0 + squared)

    means = [
        sum(likeness(x, y) for x in xs for y in ys) / (len(xs) * len(ys))
        for xs, ys in ((code, code), (prior, prior), (code, prior))
    ]
    found = losslens.mmd(code, prior, bandwidth=1.5, kernel=kernel)
    torch.testing.assert_close(found, means[0] + means[1] - 2.0 * means[2])
    torch.testing.assert_close(found, losslens.mmd(prior, code, bandwidth=1.5, kernel=kernel))


def test_discrepancy_of_gaussians_is_its_closed_form():
    """Of N(m, 1) and N(0, 1): twice the kernel's mean at a difference of variance 2, at 0 less at m."""
    shift, points = 1.5, 2000
    levels = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    prior = Normal(0.0, 1.0).icdf(levels).unsqueeze(1)
    found = losslens.mmd(prior + shift, prior)
    expected = 2.0 / math.sqrt(3.0) * (1.0 - math.exp(-(shift**2) / 6.0))
    assert float(found) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("kernel", KERNELS)
def test_descent_carries_a_code_to_the_prior(kernel):
    prior = torch.randn(60, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    code = (prior[:40] * 0.3 + 1.0).requires_grad_()
    optimiser = torch.optim.Adam([code], lr=0.05)
    before = float(losslens.mmd(code, prior, kernel=kernel).detach())
    for _ in range(150):
        optimiser.zero_grad()
        losslens.mmd(code, prior, kernel=kernel).backward()
        optimiser.step()
    assert losslens.mmd(code, prior, kernel=kernel) < 0.02 * before
    assert (code.mean(0) - prior.mean(0)).norm() < 0.2
    assert (code.std() / prior.std() - 1.0).abs() < 0.2


def test_coinciding_points_have_a_gradient():
    code = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    for kernel in KERNELS:
        prior = torch.ones(2, 2, dtype=torch.float64)
        assert gradcheck(lambda c, k=kernel, p=prior: losslens.mmd(c, p, kernel=k), (code,))


def test_a_prior_of_other_width_is_refused():
    with pytest.raises(BadInput, match="shapes"):
        losslens.mmd(torch.zeros(3, 2), torch.zeros(3, 4))
