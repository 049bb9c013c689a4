"""The hand-written forward and backward pass against autograd, which is the reference."""

import pytest
import torch

from losslens.models.autoencoders import Autoencoder, start
from losslens.models.objective import Batch, Objective
from losslens.models.spec import ModelSpec, ObjectiveSpec
from losslens.run.network import FlatParameters, Gradients, supported

FEATURES, CODE = 12, 3
CASES = [
    ("mse", "linear"),
    ("cosine", "linear"),
    ("pearson", "softplus"),
    ("gaussian", "linear"),
    ("negative_binomial", "softmax"),
    ("bernoulli", "logits"),
]


def _batch(loss: str) -> Batch:
    generator = torch.Generator().manual_seed(1)
    counts = torch.poisson(torch.full((7, FEATURES), 3.0), generator=generator)
    size = counts.sum(1, keepdim=True)
    profiles = (counts > 2).float() if loss == "bernoulli" else torch.log1p(counts * 40 / size)
    return Batch(profiles, counts, size, 40 / size)


def _pair(kind: str, loss: str, link: str, activation: str = "relu") -> tuple[Autoencoder, Objective]:
    torch.manual_seed(0)
    spec = ModelSpec(kind=kind, linear_path=kind == "pca_path", hidden=(8, 6), code=CODE, activation=activation)
    model, objective = Autoencoder.build(spec, FEATURES), Objective(ObjectiveSpec(loss=loss, link=link), FEATURES, CODE)
    batch = _batch(loss)
    axes = torch.linalg.qr(torch.randn(FEATURES, CODE))[0].T if kind == "pca_path" else None
    start(model, spec, batch.profiles.mean(0), objective.raw_mean(batch.profiles.mean(0)), axes)
    objective.start(batch, batch.profiles - batch.profiles.mean(0))
    return model, objective


def _reference(model: Autoencoder, objective: Objective, batch: Batch) -> list[torch.Tensor]:
    total, _ = objective(model(batch.profiles), batch)
    total.backward()
    return [p.grad.clone() for p in (*model.parameters(), *objective.parameters())]


@pytest.mark.parametrize("kind", ["autoencoder", "pca_path"])
@pytest.mark.parametrize(("loss", "link"), CASES)
def test_gradients_equal_autograd(kind: str, loss: str, link: str) -> None:
    batch = _batch(loss)
    expected = _reference(*_pair(kind, loss, link), batch)
    model, objective = _pair(kind, loss, link)
    FlatParameters(model, objective)
    gradients = Gradients(model, objective)
    assert gradients.by_hand
    for _ in range(2):  # a second call must not add to the first
        gradients(batch)
    for parameter, right in zip((*model.parameters(), *objective.parameters()), expected, strict=True):
        torch.testing.assert_close(parameter.grad, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", ["gelu", "tanh"])
def test_other_layers_go_through_autograd_with_the_same_result(activation: str) -> None:
    batch = _batch("mse")
    expected = _reference(*_pair("autoencoder", "mse", "linear", activation), batch)
    model, objective = _pair("autoencoder", "mse", "linear", activation)
    FlatParameters(model, objective)
    gradients = Gradients(model, objective)
    assert gradients.by_hand == (activation == "tanh") == supported(model.encoder)
    for _ in range(2):
        gradients(batch)
    for parameter, right in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, right, rtol=1e-4, atol=1e-6)


def test_a_wrong_gradient_would_be_noticed() -> None:
    batch = _batch("mse")
    expected = _reference(*_pair("autoencoder", "mse", "linear"), batch)
    model, objective = _pair("autoencoder", "mae", "linear")
    FlatParameters(model, objective)
    Gradients(model, objective)(batch)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(next(model.parameters()).grad, expected[0], rtol=1e-4, atol=1e-6)


def test_the_magnitude_head_does_not_teach_the_code() -> None:
    model, objective = _pair("autoencoder", "cosine", "linear")
    batch = _batch("cosine")
    outputs = model(batch.profiles)
    objective.head.loss(outputs.code, batch.profiles).backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert any(parameter.grad.abs().sum() > 0 for parameter in objective.head.parameters())


def test_the_pca_path_starts_at_pca() -> None:
    model, _ = _pair("pca_path", "mse", "linear")
    x = _batch("mse").profiles
    axes = model.encoder.paths[-1][0].weight
    mean = x.mean(0)
    torch.testing.assert_close(model(x).output, mean + (x - mean) @ axes.T @ axes, rtol=1e-4, atol=1e-5)
