"""The likelihood of directions against closed forms, quadrature and Bessel functions of many digits."""

from __future__ import annotations

import math

import mpmath as mp
import pytest
import torch

import losslens
from losslens.losses.directions import log_constant, log_scaled_bessel

ORDERS, SIZES = (-0.5, 0.0, 0.5, 1.0, 4.0, 31.5, 499.0, 9999.0), (1e-2, 0.5, 3.0, 40.0, 1e3, 1e6)
CASES = [(order, x) for order in ORDERS for x in SIZES if (order, x) != (9999.0, 1e6)]  # there the oracle gives up


@pytest.mark.parametrize(("order", "x"), CASES)
def test_bessel_functions_are_those_of_many_digits(order, x):
    with mp.workdps(60):
        exact = mp.log(mp.besseli(order, x)) - x
        slope = mp.diff(lambda t: mp.log(mp.besseli(order, t)) - t, x) if order < 100 else None
    at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    found = log_scaled_bessel(torch.tensor(order, dtype=torch.float64), at)
    assert float(found.detach()) == pytest.approx(float(exact), rel=1e-10, abs=1e-9)
    if slope is not None:
        assert float(torch.autograd.grad(found, at)[0]) == pytest.approx(float(slope), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("kappa", [0.1, 2.0, 50.0])
def test_density_integrates_to_one_over_circle_and_sphere(kappa):
    concentration = torch.tensor(kappa, dtype=torch.float64)
    angle = (torch.arange(20_000, dtype=torch.float64) + 0.5) * math.pi / 20_000
    cosine, step = angle.cos(), math.pi / 20_000
    for features, surface in ((2, torch.full_like(angle, 2.0)), (3, 2.0 * math.pi * angle.sin())):
        target = torch.zeros(len(angle), features, dtype=torch.float64)
        target[:, 0], target[:, 1] = cosine, angle.sin()
        center = torch.zeros_like(target)
        center[:, 0] = 5.0
        nats = losslens.von_mises_fisher(center, target, concentration=concentration, reduction="none")
        assert float(((-nats).exp() * surface * step).sum()) == pytest.approx(1.0, abs=1e-6)


def test_on_the_sphere_the_constant_has_a_closed_form():
    kappa = torch.tensor(7.0, dtype=torch.float64)
    closed = math.log(7.0 / (4.0 * math.pi * math.sinh(7.0))) + 7.0
    assert float(log_constant(kappa, torch.tensor(3.0))) == pytest.approx(closed, rel=1e-10)


def test_its_gradient_is_that_of_the_cosine_loss_times_the_concentration():
    output, target = torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slopes = []
    for loss, settings in ((losslens.cosine, {}), (losslens.von_mises_fisher, {"concentration": torch.tensor(3.0)})):
        at = output.clone().requires_grad_()
        slopes.append(torch.autograd.grad(loss(at, target, **settings), at)[0])
    torch.testing.assert_close(3.0 * slopes[0], slopes[1])


def test_the_best_concentration_fits_the_mean_resultant_length():
    """The mean cosine of the data is the ratio of neighbouring Bessel functions at the best concentration."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(400, 8, generator=generator, dtype=torch.float64) + 1.5
    center = torch.ones_like(target)
    log = torch.zeros((), dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([log], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-12)

    def closure():
        search.zero_grad()
        value = losslens.von_mises_fisher(center, target, concentration=log.exp())
        value.backward()
        return value

    search.step(closure)
    kappa = float(log.detach().exp())
    mean_cosine = float(torch.nn.functional.cosine_similarity(center, target).mean())
    assert float(mp.besseli(4, kappa) / mp.besseli(3, kappa)) == pytest.approx(mean_cosine, abs=1e-5)
