"""Cut-initialisation in its forms, the constant found by measuring, GradScale, and the penalties on norms."""

from __future__ import annotations

import math
import pickle
import warnings
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import losslens
from losslens.models.remedies import COLLAPSED, FORMS, Embedding
from losslens.vocabulary.errors import BadInput, LosslensWarning


def seeded(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build()


def perceptron(*widths, bias=True):
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out, bias=bias), nn.ReLU()]
    return seeded(lambda: nn.Sequential(*[_again(layer) for layer in layers[:-1]]))


def _again(layer):
    if isinstance(layer, nn.Linear):
        layer.reset_parameters()
    return layer


def normalised():
    return seeded(
        lambda: nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 6), nn.BatchNorm1d(6))
    )


def convolutional():
    return seeded(
        lambda: nn.Sequential(
            nn.Unflatten(1, (1, 6, 6)),
            nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.LeakyReLU(0.1), nn.MaxPool2d(2)),
            nn.Conv2d(4, 3, 3, bias=False),
            nn.Flatten(),
            nn.PReLU(),
            nn.Dropout(0.5),
            nn.Linear(3, 5),
        )
    ).double()


def batch(rows=32, features=8, seed=1):
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(seed))


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("c", [1.0, 3.0, 9.0])
def test_all_divides_every_parameter_as_the_published_code_does(c):
    model = normalised()
    before = state(model)
    done = losslens.cut_initialise(model, c)
    assert (done.form, done.c, done.tensors, done.before) == ("all", c, 8, None)
    for name, value in model.named_parameters():
        torch.testing.assert_close(value.detach(), before[name] / c)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


def test_weights_leaves_biases_and_what_normalises():
    model = normalised()
    before = state(model)
    assert losslens.cut_initialise(model, 3.0, form="weights").tensors == 2
    for name, value in model.named_parameters():
        factor = 3.0 if name in ("0.weight", "3.weight") else 1.0
        torch.testing.assert_close(value.detach(), before[name] / factor)


@pytest.mark.parametrize("c", [2.0, 9.0])
@pytest.mark.parametrize(
    ("build", "features", "depth"),
    [
        (lambda: perceptron(8, 16, 4).double(), 8, 2),
        (lambda: perceptron(8, 16, 16, 16, 4).double(), 8, 4),
        (lambda: nn.Linear(8, 4).double(), 8, 1),
        (convolutional, 36, 3),
    ],
)
def test_exact_divides_the_output_by_c_to_the_depth(c, build, features, depth):
    model = build().eval()
    x = batch(features=features).double()
    before = model(x).detach()
    losslens.cut_initialise(model, c, form="exact")
    torch.testing.assert_close(model(x).detach() * c**depth, before, rtol=1e-12, atol=1e-14)


def test_the_other_forms_are_not_exact_on_biases():
    """Which is why there is a form of its own."""
    for form in ("all", "weights"):
        model, x = perceptron(8, 16, 4).double(), batch().double()
        before = model(x).detach()
        losslens.cut_initialise(model, 3.0, form=form)
        assert (model(x).detach() * 9.0 - before).abs().max() > 0.01


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (normalised, r"BatchNorm1d \(1\)"),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)), "LayerNorm"),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8)), "Tanh"),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8)), "GELU"),
        (lambda: nn.TransformerEncoderLayer(8, 2), "TransformerEncoderLayer"),
        (lambda: nn.Sequential(weight_norm(nn.Linear(8, 8))), "Parametrized"),
        (lambda: nn.Sequential(nn.ReLU()), "no linear layer"),
        (lambda: nn.Sequential(*[nn.Linear(8, 8)] * 2), "twice"),
    ],
)
def test_exact_refuses_what_is_no_chain_and_touches_nothing(build, found):
    model = build()
    before = state(model)
    with pytest.raises(BadInput, match=found):
        losslens.cut_initialise(model, 3.0, form="exact")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_last_is_a_pure_rescaling_of_any_model():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = normalised(), nn.Linear(14, 5)

        def forward(self, x):
            return self.head(torch.cat([self.body(x), x], 1))

    model, x = seeded(Residual).eval(), batch()
    before = model(x).detach()
    done = losslens.cut_initialise(model, 7.0, form="last", batch=x)
    torch.testing.assert_close(model(x).detach() * 7.0, before)
    assert done.before.norm / done.after.norm == pytest.approx(7.0, rel=1e-5)
    assert done.after.cosine == pytest.approx(done.before.cosine, abs=1e-5)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (normalised, "BatchNorm1d"),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.Tanh()), "Tanh"),
        (lambda: nn.Conv1d(1, 1, 1), "none in Conv1d"),
    ],
)
def test_last_refuses_what_would_undo_it(build, words):
    with pytest.raises(BadInput, match=words):
        losslens.cut_initialise(build(), 3.0, form="last")


def test_cutting_biases_too_makes_directions_one_and_says_so():
    """A head without batch normalisation behind a ReLU, as in SimCLR: 0.93, 0.996, 1.000 for c = 1, 3, 9 or so."""

    def build():
        return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 128))

    features = batch(64, 64, seed=3).abs() * 0.3 + 0.4  # alike, as what comes out of a backbone
    found = {}
    for c in (1.0, 3.0, 9.0):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            done = losslens.cut_initialise(seeded(build), c, batch=features)
        found[c] = done
        assert bool(caught) == done.collapsed == (c > 1.0)
    assert 0.85 < found[1.0].after.cosine < 0.98
    assert found[3.0].after.cosine > 0.99
    assert found[9.0].after.cosine > 0.9995
    with pytest.warns(LosslensWarning, match="form='last'"):
        losslens.cut_initialise(seeded(build), 9.0, batch=features)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not losslens.cut_initialise(seeded(build), 9.0, form="exact", batch=features).collapsed


def test_directions_that_were_one_before_are_not_blamed_on_the_cut():
    model = perceptron(8, 16, 4)
    done = losslens.cut_initialise(model, 9.0, form="last", batch=torch.ones(6, 8))
    assert done.after.cosine > COLLAPSED
    assert not done.collapsed


def test_measuring_leaves_statistics_and_random_numbers_alone():
    model = nn.Sequential(normalised(), nn.Dropout(0.5)).train()
    buffers, numbers = {name: value.clone() for name, value in model.named_buffers()}, torch.get_rng_state()
    losslens.cut_initialise(model, 3.0, batch=batch())
    losslens.automatic_cut(model, batch(), target=0.2)
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_tied_weights_are_divided_once():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    model[2].weight = model[0].weight
    before = model[0].weight.detach().clone()
    losslens.cut_initialise(model, 3.0)
    torch.testing.assert_close(model[0].weight.detach(), before / 3.0)
    assert model[2].weight is model[0].weight


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", [1.0, 0.1])
def test_the_constant_that_is_found_brings_the_norm_to_its_target(form, target):
    model = perceptron(8, 32, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LosslensWarning)
        if form == "weights":  # biases alone are longer than the smaller target
            target = 1.5
        done = losslens.automatic_cut(model, 100.0 * batch(), form=form, target=target)
    assert done.c > 1.0
    assert float(model(100.0 * batch()).detach().norm(dim=1).mean()) == pytest.approx(target, rel=1e-4)


def test_the_constant_is_the_root_for_a_chain():
    model, x = perceptron(8, 32, 32, 16), 100.0 * batch()
    before = float(model(x).detach().norm(dim=1).mean())
    assert losslens.automatic_cut(model, x, form="exact").c == pytest.approx(before ** (1 / 3), rel=1e-5)


def test_short_embeddings_are_left_alone():
    model = perceptron(8, 32, 16)
    before = state(model)
    done = losslens.automatic_cut(model, 0.01 * batch())
    assert done.c == 1.0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_norm_that_cannot_fall_is_told():
    model = nn.Sequential(nn.Linear(8, 6), nn.LayerNorm(6, elementwise_affine=False, eps=0.0))
    with pytest.raises(BadInput, match="divided by a million"):
        losslens.automatic_cut(model, batch())


@pytest.mark.parametrize("wrong", ["3", None, math.nan])
def test_what_is_no_number_is_refused_in_words(wrong):
    with pytest.raises(BadInput, match="a constant of at least 1"):
        losslens.cut_initialise(nn.Linear(2, 2), wrong)
    with pytest.raises(BadInput, match="a power of at least 0"):
        losslens.GradScale(wrong)


def test_what_is_no_model_or_no_finite_batch_is_refused_in_words():
    with pytest.raises(BadInput, match=r"a model \(torch.nn.Module\) to cut, found NoneType"):
        losslens.cut_initialise(None, 3)
    with pytest.raises(BadInput, match="a finite embedding, found a mean norm of nan"):
        losslens.automatic_cut(nn.Linear(2, 2), torch.full((3, 2), math.nan))


def test_wrong_constants_forms_and_outputs_are_refused():
    model = perceptron(8, 4)
    for c in (0.5, 0.0, -3.0, math.nan, math.inf):
        with pytest.raises(BadInput, match="at least 1"):
            losslens.cut_initialise(model, c)
    with pytest.raises(BadInput, match="Did you mean 'weights'"):
        losslens.cut_initialise(model, 3.0, form="weight")
    with pytest.raises(BadInput, match="parameters to cut"):
        losslens.cut_initialise(nn.ReLU(), 3.0)
    with pytest.raises(BadInput, match="positive norm"):
        losslens.automatic_cut(model, batch(), target=0.0)
    with pytest.raises(BadInput, match=r"found tuple.*part of the model"):
        losslens.cut_initialise(nn.LSTM(8, 4), 3.0, batch=batch())


def test_the_embedding_is_measured_pair_by_pair():
    rows = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).double()
    pairs = [float(torch.cosine_similarity(a, b, dim=0)) for i, a in enumerate(rows) for b in rows[:i]]
    found = Embedding.of(rows)
    assert found.cosine == pytest.approx(sum(pairs) / len(pairs))
    assert found.norm == pytest.approx(float(rows.norm(dim=1).mean()))
    assert math.isnan(Embedding.of(rows[:1]).cosine)


# GradScale.


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_grad_scale_is_the_identity_and_multiplies_each_rows_gradient(p):
    z = (5.0 * torch.randn(6, 4, generator=torch.Generator().manual_seed(0))).double().requires_grad_()
    out = losslens.GradScale(p)(z)
    assert torch.equal(out, z)
    coming = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).double()
    (found,) = torch.autograd.grad(out, z, coming)
    torch.testing.assert_close(found, coming * z.detach().norm(dim=1, keepdim=True) ** p)


def test_power_one_cancels_the_norm_and_power_two_makes_the_angular_speed_the_same():
    direction, other = torch.tensor([[0.6, 0.8]]).double(), torch.tensor([[1.0, 0.0]]).double()
    for norm in (0.1, 1.0, 30.0):
        for p in (1.0, 2.0):
            z = (norm * direction).requires_grad_()
            losslens.cosine(losslens.GradScale(p)(z), other).backward()
            size = float(z.grad.norm())
            assert size == pytest.approx(0.8 * norm ** (p - 1.0))
            turned = z.detach() - 1e-4 * z.grad
            angle = float(torch.cosine_similarity(turned, direction).acos())
            assert angle == pytest.approx(0.8e-4 * norm ** (p - 2.0), rel=1e-3)


def test_grad_scale_lives_anywhere_in_a_model():
    z = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    scale = losslens.GradScale(1.0)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        rows = z.to(dtype, copy=True).requires_grad_()
        out = scale(rows)
        out.sum().backward()
        assert out.dtype is rows.grad.dtype is dtype
        expected = z.norm(dim=-1, keepdim=True).expand_as(z)
        torch.testing.assert_close(rows.grad.float(), expected, rtol=0.02, atol=0.02)
    assert pickle.loads(pickle.dumps(scale)).p == 1.0
    assert repr(nn.Sequential(scale)).count("GradScale(p=1)") == 1
    zero = torch.zeros(1, 4, requires_grad=True)
    scale(zero).sum().backward()
    assert zero.grad.tolist() == [[0.0] * 4]
    with torch.no_grad():
        assert torch.equal(scale(z), z)


def test_grad_scale_works_under_vmap_and_twice():
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double()
    scale = losslens.GradScale(1.0)
    each = torch.func.vmap(torch.func.grad(lambda row: scale(row).square().sum()))(z)
    torch.testing.assert_close(each, 2.0 * z * z.norm(dim=1, keepdim=True))
    z.requires_grad_()
    (first,) = torch.autograd.grad(scale(z).pow(3).sum(), z, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), z)
    factor = z.detach().norm(dim=1, keepdim=True)
    torch.testing.assert_close(second, 6.0 * z.detach() * factor**2)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # by PyTorch's own compiler
def test_grad_scale_compiled_equals_eager():
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    scale = losslens.GradScale(2.0)
    compiled = torch.compile(lambda rows: scale(rows).sin().sum(), backend="aot_eager")
    (found,), (expected,) = torch.autograd.grad(compiled(z), z), torch.autograd.grad(scale(z).sin().sum(), z)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("p", [-1.0, math.nan, math.inf])
def test_grad_scale_refuses_other_powers(p):
    with pytest.raises(BadInput, match="at least 0"):
        losslens.GradScale(p)


# Penalties on norms.


def test_the_norm_penalty_is_the_variance_of_norms_and_pulls_along_rows_alone():
    code = (3.0 * torch.randn(8, 5, generator=torch.Generator().manual_seed(0))).double().requires_grad_()
    value = losslens.norm_variance(code)
    norms = code.norm(dim=1)
    torch.testing.assert_close(value, norms.var(correction=0))
    (found,) = torch.autograd.grad(value, code)
    fixed = (norms - norms.mean().detach()).square().mean()  # the mean counted as a constant
    (expected,) = torch.autograd.grad(fixed, code)
    torch.testing.assert_close(found, expected)
    assert losslens.LOSSES["spherical_constraint"].name == "norm_variance"


def test_the_penalties_do_to_norms_what_they_say():
    start = 3.0 * torch.randn(16, 5, generator=torch.Generator().manual_seed(0)).double()
    ends = {}
    for name in ("code_l2", "norm_variance"):
        code = start.clone().requires_grad_()
        optimiser = torch.optim.SGD([code], lr=0.5)
        for _ in range(200):
            optimiser.zero_grad()
            getattr(losslens, name)(code).backward()
            optimiser.step()
        ends[name] = code.detach().norm(dim=1)
    mean = float(start.norm(dim=1).mean())
    assert float(ends["code_l2"].max()) < 0.01
    torch.testing.assert_close(ends["norm_variance"], torch.full((16,), mean).double(), rtol=1e-3, atol=0.0)
