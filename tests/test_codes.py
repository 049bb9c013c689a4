"""The contractive penalty, which works on autograd's graph, and what else the contracts cannot reach."""

from __future__ import annotations

import math

import pytest
import torch
from tests.oracles.codes import WEIGHTS
from tests.oracles.codes import contractive as closed_form
from torch.autograd import gradcheck

import losslens
from losslens.vocabulary.errors import BadInput


def encoded(rows, dtype=torch.float64):
    inputs = torch.randn(rows, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    inputs.requires_grad_()
    return torch.sigmoid(inputs @ torch.tensor(WEIGHTS, dtype=dtype)), inputs


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_contraction_of_a_sigmoid_layer_is_the_closed_form(dtype, rtol):
    code, inputs = encoded(5, dtype)
    found = losslens.contractive(code, inputs, reduction="none")
    expected = [float(closed_form(row.tolist(), None)) for row in code.detach().double()]
    torch.testing.assert_close(
        found.detach().double(), torch.tensor(expected, dtype=torch.float64), rtol=rtol, atol=0.0
    )


def test_contraction_has_a_gradient_by_the_weights():
    inputs = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    weights = torch.tensor(WEIGHTS, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda w: losslens.contractive(torch.tanh(inputs @ w), inputs, reduction="none"), (weights,))


def test_contraction_is_masked_weighted_and_reduced_like_any_other():
    code, inputs = encoded(4)
    each = losslens.contractive(code, inputs, reduction="none")
    mask, weight = torch.tensor([True, False, True, True]), torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(losslens.contractive(code, inputs), each.mean())
    torch.testing.assert_close(losslens.contractive(code, inputs, mask=mask), each[mask].mean())
    torch.testing.assert_close(losslens.contractive(code, inputs, weight=weight), (each * weight).sum() / 10.0)
    torch.testing.assert_close(losslens.contractive(code, inputs, reduction="sum"), each.sum())


def test_contraction_needs_a_graph():
    code, inputs = encoded(2)
    with pytest.raises(BadInput, match="require a gradient"):
        losslens.contractive(code.detach(), inputs)
    with pytest.raises(BadInput, match="does not depend"):
        losslens.contractive(code, torch.ones(2, 2, requires_grad=True))


def test_rates_at_the_ends_are_finite_and_pull_back():
    code = torch.tensor([[0.0, 1.0], [0.0, 1.0]], requires_grad=True)
    value = losslens.kl_to_rate(code)
    (slope,) = torch.autograd.grad(value, code)
    assert bool(value.isfinite())
    assert bool((slope[:, 0] < 0.0).all())
    assert bool((slope[:, 1] > 0.0).all())


def test_more_units_than_there_are_may_speak():
    assert losslens.top_k_sparsity(torch.ones(2, 3), k=5) == 0.0


def test_latent_divergence_is_the_mean_of_log_ratios():
    mean, log_variance = torch.tensor([[0.7, -1.2]]).double(), torch.tensor([[0.3, -0.8]]).double()
    posterior = torch.distributions.Normal(mean, (log_variance / 2.0).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(1)
    torch.testing.assert_close(losslens.kl_standard_normal(mean, log_variance, reduction="none"), expected)
    two = losslens.kl_gaussians(mean, log_variance, 0.0 * mean, 0.0 * mean, reduction="none")
    torch.testing.assert_close(two, expected)
    torch.testing.assert_close(losslens.free_bits(mean, log_variance, bits=0.0, reduction="none"), expected)


def test_uniform_similarities_cost_the_logarithm_of_the_choices():
    rows = torch.ones(5, 3)
    torch.testing.assert_close(losslens.info_nce(rows, rows), torch.tensor(math.log(5.0)))
    torch.testing.assert_close(losslens.nt_xent(rows, rows), torch.tensor(math.log(9.0)))
    torch.testing.assert_close(losslens.decoupled_contrastive(rows, rows), torch.tensor(math.log(8.0)))


def test_a_batch_of_one_has_no_negatives():
    one = torch.randn(1, 4)
    assert losslens.info_nce(one, one + 1.0).abs() < 1e-6
    for loss in (losslens.decoupled_contrastive, losslens.barlow_twins, losslens.vicreg):
        with pytest.raises(BadInput, match="at least two"):
            loss(one, one)


@pytest.mark.parametrize("name", ["info_nce", "nt_xent", "decoupled_contrastive", "negative_cosine", "alignment"])
def test_zero_rows_of_views_have_a_finite_gradient(name):
    a, b = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    a[1], b[2] = 0.0, 0.0
    a.requires_grad_()
    value = getattr(losslens, name)(a, b)
    (slope,) = torch.autograd.grad(value, a)
    assert bool(value.isfinite())
    assert bool(slope.isfinite().all())
