"""Coordinate networks: weights at the start, statistics at every depth, exact derivatives, noticed mistakes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from losslens.models.coordinates import CoordinateNetwork, ImplicitSpec, siren_initialise
from losslens.models.derivatives import divergence, gradient, jacobian, laplacian, unmixed
from losslens.run.mistakes import outside, phase_spread

DEPTH = 9  # hidden layers, so ten sine layers
LINE = torch.linspace(-1.0, 1.0, 200).unsqueeze(1)


def deep(width: int, seed: int = 0) -> CoordinateNetwork:
    return CoordinateNetwork.build(ImplicitSpec(inputs=1, hidden=(width,) * DEPTH), seed)


def arcsine_distance(values: torch.Tensor) -> float:
    """Kolmogorov-Smirnov distance to the arcsine distribution on [-1, 1]."""
    drawn = values.flatten().double().numpy()
    return float(stats.kstest(drawn, stats.arcsine(loc=-1.0, scale=2.0).cdf).statistic)


def test_the_weights_fill_the_bounds_of_the_paper():
    layers = CoordinateNetwork.build(ImplicitSpec(inputs=3, hidden=(200, 100), omega=20.0), seed=1).layers
    assert [tuple(layer.weight.shape) for layer in layers] == [(200, 3), (200, 200), (100, 200), (1, 100)]
    bounds = [1 / 3, *(math.sqrt(6 / layer.in_features) / 20.0 for layer in layers[1:])]
    for layer, bound in zip(layers, bounds, strict=True):
        weights = layer.weight.detach().flatten() / bound
        assert weights.abs().max() <= 1.0
        assert stats.kstest(weights.numpy(), stats.uniform(-1.0, 2.0).cdf).pvalue > 1e-3
        assert layer.bias.abs().max() <= 1 / math.sqrt(layer.in_features)


@pytest.mark.parametrize("width", [256, 512])
def test_activations_look_alike_at_every_depth(width):
    phases = deep(width).pre_activations(LINE)
    assert len(phases) == DEPTH + 1
    for depth, phase in enumerate(phases):
        sines = phase.sin()
        assert arcsine_distance(sines) < 0.06, depth
        assert float(sines.std()) == pytest.approx(1 / math.sqrt(2), abs=0.04), depth
    spreads = phase_spread(deep(width), LINE)
    assert all(spread == pytest.approx(1.0, abs=0.1) for spread in spreads), spreads
    assert abs(np.polyfit(range(DEPTH), spreads, 1)[0]) < 0.01  # neither grows nor fades


def test_phases_are_standard_normal_behind_the_first_layer():
    network = deep(512)
    for layer, phase in zip(network.layers[1:-1], network.pre_activations(LINE)[1:], strict=True):
        weighted = phase - 30.0 * layer.bias.detach()
        assert stats.kstest(weighted.flatten().numpy(), stats.norm.cdf).statistic < 0.05


def forget_to_divide(layers: list[nn.Linear]) -> None:
    siren_initialise(layers, omega=1.0)


def leave_as_pytorch_draws(layers: list[nn.Linear]) -> None:
    for layer in layers:
        layer.reset_parameters()


def draw_too_small(layers: list[nn.Linear]) -> None:
    siren_initialise(layers, omega=300.0)


WRONG = [forget_to_divide, leave_as_pytorch_draws, draw_too_small]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_initialisation_shows_in_the_phases(wrong):
    network = deep(128)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        wrong(network.layers)
    spread = phase_spread(network, LINE)[0]
    assert not 0.5 < spread < 2.0


def test_building_is_repeatable_and_leaves_the_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, two = (CoordinateNetwork.build(ImplicitSpec(inputs=2, kind="fourier", hidden=(8,)), seed=3) for _ in "ab")
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    other = CoordinateNetwork.build(ImplicitSpec(inputs=2, kind="fourier", hidden=(8,)), seed=4)
    assert not torch.equal(one.encoding.directions, other.encoding.directions)


@pytest.mark.parametrize("kind", ["relu", "tanh", "fourier"])
def test_baselines_keep_the_size_of_values(kind):
    network = CoordinateNetwork.build(ImplicitSpec(inputs=2, hidden=(256,) * 3, kind=kind), seed=0)
    values = network.pre_activations(2.0 * torch.rand(500, 2) - 1.0)
    assert 0.3 < float(values[-1].std() / values[0].std()) < 3.0


# The closed form: every derivative of sin(omega z) is a sine again, a quarter period ahead.


def by_hand(network: CoordinateNetwork, where: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Value, gradient and Laplacian of a SIREN of one output by the chain rule, carried forward layer by layer."""
    value, slopes = (
        where,
        torch.eye(where.shape[1], dtype=where.dtype).expand(len(where), -1, -1),
    )  # (points, width, in)
    curvature = torch.zeros_like(slopes)  # second derivatives by the same coordinate twice
    for place, layer in enumerate(network.layers):
        weight = layer.weight
        value, slopes, curvature = value @ weight.T + layer.bias, weight @ slopes, weight @ curvature
        if place == len(network.layers) - 1:
            return value.squeeze(-1), slopes[:, 0], curvature[:, 0].sum(-1)
        omega = network.spec.omega if place else network.spec.first_omega
        ahead, twice = (torch.sin(omega * value + turn * math.pi / 2).unsqueeze(-1) for turn in (1, 2))
        curvature = omega**2 * twice * slopes.square() + omega * ahead * curvature
        slopes = omega * ahead * slopes
        value = torch.sin(omega * value)
    raise AssertionError


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_derivatives_are_those_of_the_closed_form(inputs):
    spec = ImplicitSpec(inputs=inputs, hidden=(24, 16), omega=30.0, first_omega=12.0)
    network = CoordinateNetwork.build(spec, seed=inputs).double()
    where = (2.0 * torch.rand(50, inputs, dtype=torch.float64) - 1.0).requires_grad_()
    output = network(where).squeeze(-1)
    value, slopes, curvature = by_hand(network, where)
    for ours, theirs in (
        (output, value),
        (gradient(output, where), slopes),
        (laplacian(output, where), curvature),
        (divergence(gradient(output, where), where), curvature),
    ):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-10 * float(theirs.detach().abs().max()))


def test_derivatives_of_a_batch_are_those_of_its_points_and_differentiable_again():
    network = CoordinateNetwork.build(
        ImplicitSpec(inputs=2, outputs=3, hidden=(8,), omega=3, first_omega=3), 0
    ).double()
    where = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    together = jacobian(network(where), where)
    alone = torch.autograd.functional.jacobian(lambda x: network(x.unsqueeze(0)).squeeze(0), where[2].detach())
    assert together.shape == (5, 3, 2)
    assert torch.allclose(together[2], alone)
    assert torch.autograd.gradcheck(lambda x: laplacian(network(x)[:, 0], x), where)
    unmixed(together[:, 1], where).sum().backward()
    assert network.layers[0].weight.grad.abs().max() > 0


def test_what_does_not_depend_on_the_coordinates_has_no_slope():
    where = torch.rand(4, 2, requires_grad=True)
    assert not gradient(torch.ones(4), where).any()
    assert not laplacian(where[:, 0], where).any()
    relu = CoordinateNetwork.build(ImplicitSpec(inputs=2, hidden=(8,), kind="relu"), seed=0)
    assert not laplacian(relu(where).squeeze(-1), where).any()


def test_coordinates_keep_their_precision_under_autocast():
    network = CoordinateNetwork.build(ImplicitSpec(inputs=1, hidden=(32,)), seed=0)
    first, close, seen = network.linears[0], torch.tensor([[0.7], [0.7001]]), []
    with torch.autocast("cpu", torch.bfloat16):
        alone = first(close)
        first.register_forward_hook(lambda module, given, found: seen.append(found))
        assert network(close).dtype == torch.bfloat16
    assert alone[0].equal(alone[1])  # eight bits cannot tell the two apart
    assert (seen[0][0] - seen[0][1]).abs().max() > 0


def test_coordinates_outside_are_told():
    assert list(outside(torch.tensor([[-1.0, 1.0]]))) == []
    assert "leave [-1, 1]" in next(outside(torch.tensor([[0.0, 1.5]])))
