"""Self-supervised methods against textbooks written here: objectives, heads, targets, memories, gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.small_methods import method_spec
from torch import nn
from torch.nn import functional

from losslens.models.backbones import Encoder, residual
from losslens.models.memories import Centre, Queue
from losslens.models.methods import METHODS
from losslens.models.siamese import MethodObjective, SiameseNetwork
from losslens.models.spec import ModelSpec
from losslens.run.course import accuracy, embedding

MODEL = ModelSpec(kind="encoder", hidden=(12,), code=6, normalisation="batch")
FEATURES, HEAD, BATCH = 9, 16, 20


def built(name, **changes):
    torch.manual_seed(3)
    spec = method_spec(name, head=HEAD, **changes)
    return SiameseNetwork(MODEL, spec, FEATURES).double(), MethodObjective(spec).double()


@pytest.fixture
def views():
    random = torch.Generator().manual_seed(5)
    rows = torch.randn(BATCH, FEATURES, generator=random, dtype=torch.float64)
    return tuple(rows + 0.3 * torch.randn(rows.shape, generator=random, dtype=torch.float64) for _ in range(2))


def projections(network, views, part=None):
    encoder, projector = part or (network.encoder, network.projector)
    return [projector(encoder.backbone(view - encoder.center)) for view in views]


# --- what is minimised, written again ------------------------------------------------------------------------------


def simclr(network, objective, views):
    """The contrastive loss by loops over rows, one logarithm at a time."""
    rows = [row / row.norm() for z in projections(network, views) for row in z]
    total = 0.0
    for i, row in enumerate(rows):
        partner = (i + BATCH) % (2 * BATCH)
        others = sum(torch.exp(row @ other / 0.5) for k, other in enumerate(rows) if k != i)
        total = total - torch.log(torch.exp(row @ rows[partner] / 0.5) / others)
    return total / (2 * BATCH)


def simsiam(network, objective, views):
    """Algorithm 1 of the paper."""

    def distance(p, z):
        z = z.detach()
        return -(p / p.norm(dim=1, keepdim=True) * (z / z.norm(dim=1, keepdim=True))).sum(1).mean()

    z1, z2 = projections(network, views)
    p1, p2 = network.predictor(z1), network.predictor(z2)
    return distance(p1, z2) / 2 + distance(p2, z1) / 2


def byol(network, objective, views):
    """Squared distances of normalised predictions and targets, both directions added."""
    p1, p2 = (network.predictor(z) for z in projections(network, views))
    with torch.no_grad():
        t1, t2 = projections(network, views, network.target)

    def regression(x, y):
        return 2 - 2 * (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1))

    return (regression(p1, t2) + regression(p2, t1)).mean()


def moco_v2(network, objective, views):
    query = functional.normalize(projections(network, views)[0])
    with torch.no_grad():
        key = functional.normalize(projections(network, views, network.target)[1])
    total = 0.0
    for q, k in zip(query, key, strict=True):
        negatives = sum(torch.exp(q @ other / 0.2) for other in objective.memory.keys)
        total = total - torch.log(torch.exp(q @ k / 0.2) / (torch.exp(q @ k / 0.2) + negatives))
    return total / BATCH


def barlow_twins(network, objective, views):
    """Pseudocode of the paper, times the scale of 0.025 that its code has too."""
    a, b = ((z - z.mean(0)) / z.std(0, correction=0) for z in projections(network, views))
    c = a.T @ b / BATCH
    own = torch.eye(HEAD, dtype=torch.float64)
    return 0.025 * ((c - own).square() * (own + 5e-3 * (1 - own))).sum()


def vicreg(network, objective, views):
    a, b = projections(network, views)
    hinge = sum(torch.relu(1 - torch.sqrt(z.var(0) + 1e-4)).mean() / 2 for z in (a, b))
    off = 1 - torch.eye(HEAD)
    covariance = sum((torch.cov(z.T) * off).square().sum() / HEAD for z in (a, b))
    return 0.04 * (25 * functional.mse_loss(a, b) + 25 * hinge + covariance)


def dino(network, objective, views):
    """Algorithm 1 of the paper: H(t1, s2) / 2 + H(t2, s1) / 2."""
    students = projections(network, views)
    with torch.no_grad():
        teachers = projections(network, views, network.target)
    centre = objective.memory.mean

    def cross(t, s):
        sharp = torch.softmax((t - centre) / 0.04, 1)
        return -(sharp * torch.log_softmax(s / 0.1, 1)).sum(1).mean()

    return cross(teachers[0], students[1]) / 2 + cross(teachers[1], students[0]) / 2


TEXTBOOK = {each.__name__: each for each in (simclr, simsiam, byol, moco_v2, barlow_twins, vicreg, dino)}


def test_every_method_has_a_textbook():
    assert set(TEXTBOOK) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_value_and_gradient_are_those_of_the_textbook(name, views):
    network, objective = built(name)
    if name == "dino":
        objective.memory.mean.normal_()
    gradients = []
    for loss in (objective(network(*views)), TEXTBOOK[name](network, objective, views)):
        own = [p for p in network.parameters() if p.requires_grad and p.shape != network.encoder.reader.weight.shape]
        gradients.append((loss.detach(), torch.autograd.grad(loss, own, allow_unused=True)))
    (value, ours), (expected, theirs) = gradients
    assert value.item() == pytest.approx(expected.item(), rel=1e-10)
    assert sum(g is not None for g in ours) > 4
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-11)


# --- what gradients reach ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_gradients_reach_the_network_and_never_the_slow_copy(name, views):
    network, objective = built(name)
    objective(network(*views)).backward()
    trained = [*network.encoder.backbone.parameters(), *network.projector.parameters(), *network.predictor.parameters()]
    assert all(parameter.grad is not None for parameter in trained)
    assert (network.target is not None) == (METHODS[name].target == "momentum")
    if network.target is not None:
        assert not any(parameter.requires_grad for parameter in network.target.parameters())
        assert network.target[0].backbone[0].weight.grad is None


@pytest.mark.parametrize("name", METHODS)
def test_a_gradient_flows_to_the_target_only_where_it_is_shared(name, views):
    network = built(name)[0]
    first, second = (view.clone().requires_grad_() for view in views)
    named = network(first, second)
    assert named["t2"].requires_grad == (METHODS[name].target == "shared")
    (named["p1"] * named["t2"]).sum().backward()
    assert first.grad is not None
    assert (second.grad is not None) == (METHODS[name].target == "shared")


def test_an_unstopped_target_would_be_noticed(views):
    network, objective = built("simsiam")
    z1, z2 = projections(network, views)
    p1, p2 = network.predictor(z1), network.predictor(z2)
    leaky = -(functional.cosine_similarity(p1, z2).mean() + functional.cosine_similarity(p2, z1).mean()) / 2
    weight = network.projector[0].weight
    ours = torch.autograd.grad(objective(network(*views)), weight)[0]
    assert not torch.allclose(torch.autograd.grad(leaky, weight)[0], ours, rtol=1e-3)


def test_a_gradient_scale_multiplies_by_the_norm_what_reaches_the_prediction(views):
    plain, objective = built("simsiam")
    scaled, _ = built("simsiam", grad_scale=1.0)
    gradients = []
    for network in (plain, scaled):
        seen = {}
        network.predictor.register_full_backward_hook(lambda _, __, out, seen=seen: seen.update(own=out[0]))
        named = network(views[0].clone(), views[1].clone())
        functional_loss = objective({**named, "p2": named["p2"].detach()})
        functional_loss.backward()
        gradients.append(seen["own"])
        norms = named["p1"].detach().norm(dim=1, keepdim=True)
    torch.testing.assert_close(gradients[1], gradients[0] * norms)


# --- heads, cuts, slow copies, memories ----------------------------------------------------------------------------


def layers(part):
    return [(type(layer).__name__, getattr(layer, "out_features", None)) for layer in part]


def test_heads_are_those_of_the_papers():
    hidden = [("Linear", HEAD), ("BatchNorm1d", None), ("ReLU", None)]
    assert layers(built("simclr")[0].projector) == [("Linear", HEAD), ("ReLU", None), ("Linear", HEAD)]
    assert layers(built("simsiam")[0].projector) == [*hidden, *hidden, ("Linear", HEAD), ("BatchNorm1d", None)]
    assert [layer.affine for layer in built("simsiam")[0].projector if hasattr(layer, "affine")] == [True, True, False]
    assert layers(built("simsiam")[0].predictor) == [("Linear", HEAD // 4), *hidden[1:], ("Linear", HEAD)]
    wide = [("Linear", 2 * HEAD), *hidden[1:], ("Linear", HEAD)]
    assert layers(built("byol")[0].projector) == layers(built("byol")[0].predictor) == wide
    assert layers(built("moco_v2")[0].projector) == layers(built("simclr")[0].projector)
    assert isinstance(built("barlow_twins")[0].predictor, nn.Identity)
    inside = [*hidden[:2], ("GELU", None)]
    last = ("ParametrizedLinear", 4 * HEAD)
    assert layers(built("dino")[0].projector) == [*inside, *inside, ("Linear", HEAD), ("Unit", None), last]
    assert built("dino")[0].projector[6].bias is not None


def test_prototypes_have_norm_one_and_read_directions():
    network, _ = built("dino")
    torch.testing.assert_close(network.projector[-1].weight.norm(dim=1), torch.ones(4 * HEAD).double())
    scores = network.projector(torch.randn(5, 6).double())
    assert scores.abs().max() <= 1.0
    assert scores.shape == (5, 4 * HEAD)


@pytest.mark.parametrize("name", METHODS)
def test_a_cut_divides_every_weight_also_of_the_slow_copy(name):
    plain, cut = built(name)[0], built(name, cut=3.0)[0]
    trained = [(n, p) for n, p in plain.named_parameters() if not n.startswith(("encoder.reader", "target.0.reader"))]
    values = dict(cut.named_parameters())
    assert all(torch.allclose(values[n] * 3.0, p) for n, p in trained)
    assert torch.equal(values["encoder.reader.weight"], plain.encoder.reader.weight)


@pytest.mark.parametrize("name", [name for name in METHODS if not METHODS[name].projector.prototypes])
def test_a_cut_of_the_last_layer_keeps_directions_of_what_is_compared(name, views):
    plain, cut = built(name)[0](*views), built(name, cut=9.0, cut_form="last")[0](*views)
    torch.testing.assert_close(cut["p1"] * 9.0, plain["p1"])
    if METHODS[name].predictor:
        torch.testing.assert_close(cut["t1"], plain["t1"])


def test_the_slow_copy_follows():
    network, _ = built("byol")
    before = [p.clone() for p in network.target.parameters()]
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(1.0)
    network.follow(0.9)
    own = [*network.encoder.parameters(), *network.projector.parameters()]
    for old, slow, new in zip(before, network.target.parameters(), own, strict=True):
        torch.testing.assert_close(slow, 0.9 * old + 0.1 * new)


def test_a_queue_gives_the_oldest_up_first():
    queue = Queue(width=3, size=4, temperature=0.2)
    start = queue.keys.clone()
    torch.testing.assert_close(start.norm(dim=1), torch.ones(4))
    batches = [torch.randn(3, 3) for _ in range(2)]
    for batch in batches:
        queue.update({"t2": batch})
    expected = torch.cat([*batches[::-1], start])[:4]
    torch.testing.assert_close(queue.keys[:4], functional.normalize(expected))


def test_a_centre_is_a_running_mean_of_both_views():
    centre = Centre(width=2, temperature=0.1)
    expected = np.zeros(2)
    for step in range(3):
        one, other = np.full((4, 2), step + 1.0, "f"), np.full((4, 2), 3.0 * step, "f")
        centre.update({"t1": torch.tensor(one), "t2": torch.tensor(other)})
        expected = 0.9 * expected + 0.1 * np.concatenate([one, other]).mean(0)
    np.testing.assert_allclose(centre.mean.numpy(), expected, rtol=1e-6)


# --- backbones -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 8, 8), (1, 1, 50), (2, 1, 33)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_residual_networks_take_images_and_series_of_any_size(shape, blocks):
    spec = ModelSpec(kind="encoder", architecture="residual", hidden=(4, 6), code=10, shape=shape, blocks=blocks)
    network = residual(spec)
    x = torch.randn(3, math.prod(shape))
    assert network(x).shape == (3, 10)
    stem = network[1]
    assert stem.stride == (1,) * (1 if shape[1] == 1 else 2)
    assert sum(type(layer).__name__ == "Block" for layer in network) == 3 * blocks


def test_a_block_begins_as_its_shortcut():
    spec = ModelSpec(kind="encoder", architecture="residual", hidden=(4,), code=4, shape=(1, 6, 6))
    block = residual(spec)[4]
    x = torch.rand(2, 4, 6, 6)
    torch.testing.assert_close(block(x), x)


def test_an_encoder_takes_the_training_mean_off():
    encoder = Encoder(MODEL, FEATURES).eval()
    encoder.center.fill_(2.0)
    x = torch.randn(4, FEATURES)
    torch.testing.assert_close(encoder(x).code, encoder.backbone(x - 2.0))


# --- readings ------------------------------------------------------------------------------------------------------


def test_readings_tell_even_directions_from_collapsed_ones():
    even = torch.cat([torch.eye(8), -torch.eye(8)])
    found = embedding({"p1": 3.0 * even, "t2": even})
    assert found["norm"] == pytest.approx(3.0)
    assert found["positive_cosine"] == pytest.approx(1.0)
    assert found["spread"] == pytest.approx(1.0)
    assert found["effective_rank"] == pytest.approx(8.0)
    same = embedding({"p1": torch.ones(16, 8), "t2": -torch.ones(16, 8)})
    assert (same["spread"], same["effective_rank"]) == (pytest.approx(0.0, abs=1e-6), 0.0)
    assert same["positive_cosine"] == pytest.approx(-1.0)


def test_neighbours_vote_with_exponential_weights():
    random = np.random.default_rng(1)
    codes, others = random.normal(size=(60, 3)), random.normal(size=(20, 3))
    labels, truth = random.integers(0, 3, 60), random.integers(0, 3, 20)
    right = 0
    for code, label in zip(others, truth, strict=True):
        similar = codes @ code / (np.linalg.norm(codes, axis=1) * np.linalg.norm(code))
        near = np.argsort(-similar)[:6]
        votes = [np.exp(similar[near[labels[near] == kind]] / 0.1).sum() for kind in range(3)]
        right += int(np.argmax(votes) == label)
    given = [torch.from_numpy(part) for part in (codes, labels, others, truth)]
    assert accuracy(*given) == pytest.approx(right / 20)
