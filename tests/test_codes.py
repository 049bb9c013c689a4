"""Penalties on codes: the contractive one, on autograd's graph, and what else the contracts cannot reach."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from tests import contract_pages as pages
from tests.oracles.codes import WEIGHTS
from tests.oracles.codes import contractive as closed_form
from torch.autograd import gradcheck

import losslens
from losslens.losses import LOSSES
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


def test_contraction_of_a_linear_map_is_its_squared_norm():
    """Wherever the inputs are, zero and 1e15 included; and nothing is left for the inputs to learn."""
    weights = torch.tensor(WEIGHTS, dtype=torch.float64, requires_grad=True)
    inputs = torch.tensor([[0.0, 0.0], [1e15, -1e15], [0.3, 0.7]], dtype=torch.float64, requires_grad=True)
    found = losslens.contractive(inputs @ weights, inputs, reduction="none")
    torch.testing.assert_close(found, weights.square().sum().expand(3))
    (slope,) = torch.autograd.grad(found.sum(), weights)
    torch.testing.assert_close(slope, 6.0 * weights.detach())


def test_contraction_is_the_norm_of_torchs_jacobian():
    """Of an encoder of two layers, row by row."""
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3), torch.nn.Softplus())
    inputs = torch.randn(5, 4, requires_grad=True)
    found = losslens.contractive(encoder(inputs), inputs, reduction="none")
    expected = [torch.autograd.functional.jacobian(encoder, row).square().sum() for row in inputs.detach()]
    torch.testing.assert_close(found, torch.stack(expected))


def test_contraction_has_a_gradient_by_the_inputs():
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    rows = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    assert gradcheck(lambda x: losslens.contractive(torch.tanh(x @ weights), x, reduction="none"), (rows,))


def test_training_against_contraction_flattens_the_encoder():
    inputs = torch.randn(20, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weights = torch.tensor(WEIGHTS, requires_grad=True)
    optimiser = torch.optim.SGD([weights], lr=0.05)
    costs = []
    for _ in range(20):
        optimiser.zero_grad()
        costs.append(losslens.contractive(torch.sigmoid(inputs @ weights), inputs))
        costs[-1].backward()
        optimiser.step()
    assert all(later < earlier for earlier, later in pairwise(cost.detach() for cost in costs))


def test_contraction_of_a_row_depends_on_no_other():
    code, inputs = encoded(4)
    whole = losslens.contractive(code, inputs, reduction="none")
    alone = inputs.detach()[2:3].requires_grad_()
    found = losslens.contractive(torch.sigmoid(alone @ torch.tensor(WEIGHTS).double()), alone, reduction="none")
    torch.testing.assert_close(found, whole[2:3])


def test_contraction_is_zero_where_nothing_changes_or_nothing_is_there():
    code, inputs = encoded(3)
    assert losslens.contractive(code, inputs, mask=torch.zeros(3, dtype=torch.bool)) == 0.0
    assert losslens.contractive(torch.sigmoid(1e4 * inputs.abs() + 50.0), inputs) == 0.0  # saturated
    assert losslens.contractive(0.0 * inputs, inputs) == 0.0


def test_contraction_of_hidden_rows_reaches_no_weight():
    inputs = encoded(3)[1]
    mask = torch.tensor([True, False, True])
    slopes = []
    for rows, shown in ((inputs, mask), (inputs.detach()[mask].requires_grad_(), None)):
        weights = torch.tensor(WEIGHTS, dtype=torch.float64, requires_grad=True)
        value = losslens.contractive(torch.sigmoid(rows @ weights), rows, mask=shown)
        slopes.append(torch.autograd.grad(value, weights)[0])
    torch.testing.assert_close(slopes[0], slopes[1])


def test_contraction_takes_a_unit_that_stands_still():
    inputs = torch.tensor([[1.0, 2.0]], requires_grad=True)
    code = torch.stack([inputs[:, 0] * 3.0, torch.ones(1)], 1)
    assert losslens.contractive(code, inputs) == 9.0


def test_contractions_line_of_pytorch_gives_the_same_mean():
    code, inputs = encoded(4)
    line = eval(LOSSES["contractive"].torch_line, {"torch": torch})
    torch.testing.assert_close(line(code, inputs), losslens.contractive(code, inputs))


def test_contraction_refuses_what_any_loss_refuses():
    code, inputs = encoded(4)
    for wrong in (code[:3], code[0]):
        with pytest.raises(BadInput, match="shapes"):
            losslens.contractive(wrong, inputs)
    with pytest.raises(BadInput, match="nonsense"):
        losslens.contractive(code, inputs, nonsense=1.0)
    with pytest.raises(BadInput, match="boolean"):
        losslens.contractive(code, inputs, mask=torch.ones(4))


def test_absolute_activations_are_summed_and_pulled_alike():
    code = torch.tensor([[3.0, -0.5, 0.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(losslens.code_l1(code), code)
    assert slope.tolist() == [[1.0, -1.0, 0.0]]


def test_only_the_units_beyond_the_largest_are_pulled():
    code = torch.tensor([[3.0, -5.0, 0.5, -0.25]], requires_grad=True)
    value = losslens.top_k_sparsity(code, k=2)
    (slope,) = torch.autograd.grad(value, code)
    assert value == 0.75
    assert slope.tolist() == [[0.0, 0.0, 1.0, -1.0]]


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_units_that_speak_and_units_that_are_pulled_make_up_the_whole(k):
    code = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spared = code.abs().topk(k).values.sum(1)
    whole = losslens.code_l1(code, reduction="none")
    torch.testing.assert_close(losslens.top_k_sparsity(code, k=k, reduction="none") + spared, whole)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.5])
def test_rate_divergence_is_that_of_two_coins(rate):
    code = torch.rand(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = torch.distributions.Bernoulli(torch.full((3,), rate, dtype=torch.float64))
    found = torch.distributions.Bernoulli(code.mean(0))
    expected = torch.distributions.kl_divergence(wanted, found).sum()
    torch.testing.assert_close(losslens.kl_to_rate(code, rate=rate), expected)


def test_rate_concerns_the_batch_and_not_its_samples():
    """One sample in twenty fully active is as good as all of them a little."""
    rare = torch.zeros(20, 1, dtype=torch.float64)
    rare[7] = 1.0
    assert losslens.kl_to_rate(rare).abs() < 1e-15
    assert losslens.kl_to_rate(torch.full_like(rare, 0.05)).abs() < 1e-15
    assert losslens.kl_to_rate(torch.full_like(rare, 0.1)) > 1e-3


@pytest.mark.parametrize("contract", [pages.words_are_complete, pages.curves_vary_and_have_their_slopes])
def test_contraction_has_a_page(contract):
    contract(LOSSES["contractive"], losslens.contractive)
