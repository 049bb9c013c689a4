"""The hand-written forward and backward pass against autograd, which is the reference."""

from typing import Any

import pytest
import torch

from losslens.models.autoencoders import Autoencoder, start
from losslens.models.objective import Batch, Objective
from losslens.models.spec import ModelSpec, ObjectiveSpec, TermSpec
from losslens.run.network import Adam, FlatParameters, Gradients, supported

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


def _pair(kind: str, loss: str, link: str, activation: str = "relu", **network: Any) -> tuple[Autoencoder, Objective]:
    torch.manual_seed(0)
    spec = ModelSpec(
        kind=kind, linear_path=kind == "pca_path", hidden=(8, 6), code=CODE, activation=activation, **network
    )
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


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "softplus"])
@pytest.mark.parametrize("network", [{}, {"tied": True}, {"dropout": 0.5}, {"normalisation": "layer"}], ids=str)
def test_beside_any_network_the_pca_path_starts_at_pca(activation: str, network: dict[str, Any]) -> None:
    model, _ = _pair("pca_path", "mse", "linear", activation, **network)
    assert model.training
    x = _batch("mse").profiles
    axes, mean = model.encoder.paths[-1][0].weight, x.mean(0)
    torch.testing.assert_close(model.eval()(x).output, mean + (x - mean) @ axes.T @ axes, rtol=1e-4, atol=1e-5)


# --- corrupted inputs, weighed entries -----------------------------------------------------------------------------


@pytest.mark.parametrize("emphasis", [False, True])
@pytest.mark.parametrize(("loss", "link"), CASES)
def test_corrupted_inputs_go_in_and_the_clean_target_is_kept(loss: str, link: str, emphasis: bool) -> None:
    batch = _batch(loss)
    generator = torch.Generator().manual_seed(5)
    touched = torch.rand(batch.profiles.shape, generator=generator) < 0.4
    given = batch._replace(corrupted=torch.where(touched, 0.0, batch.profiles))
    if emphasis and loss not in ("cosine", "pearson"):  # those have no values of entries
        given = given._replace(weight=torch.where(touched, 1.0, 0.5))
    model, objective = _pair("autoencoder", loss, link)
    outputs = model(given.corrupted)
    values = objective.criterion.values(objective.linked(outputs.output, batch), objective.target(batch))
    weighed = values if given.weight is None else 1.0 * values * touched + 0.5 * values * ~touched
    expected = weighed.sum(1).mean() if objective.criterion.entry.is_likelihood else weighed.mean()
    head = 0.0 if objective.head is None else objective.head.loss(outputs.code, batch.profiles)
    (expected + head).backward()
    right = [parameter.grad.clone() for parameter in (*model.parameters(), *objective.parameters())]
    model, objective = _pair("autoencoder", loss, link)
    FlatParameters(model, objective)
    gradients = Gradients(model, objective)
    assert gradients.by_hand
    torch.testing.assert_close(gradients(given), expected.detach(), rtol=1e-5, atol=1e-6)
    for parameter, own in zip((*model.parameters(), *objective.parameters()), right, strict=True):
        torch.testing.assert_close(parameter.grad, own, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "network",
    [{"variational": True}, {"reads_code": True}, {"code_activation": "sigmoid"}, {"tied": True}, {"dropout": 0.1},
     {"normalisation": "batch"}, {"normalisation": "layer"}],
    ids=str,
)  # fmt: skip
def test_what_is_not_written_by_hand_goes_through_autograd(network: dict[str, Any]) -> None:
    assert not Gradients(*_pair("autoencoder", "mse", "linear", **network)).by_hand


def test_terms_go_through_autograd() -> None:
    model, _ = _pair("autoencoder", "mse", "linear")
    objective = Objective(ObjectiveSpec(loss="mse", terms=(TermSpec(loss="code_l1"),)), FEATURES, CODE)
    assert not Gradients(model, objective).by_hand


def test_a_decoder_that_reads_the_code_does_not_teach_it() -> None:
    model, objective = _pair("autoencoder", "mse", "linear", reads_code=True)
    batch = _batch("mse")
    objective(model(batch.profiles), batch)[0].backward()
    assert all(parameter.grad is None for parameter in model.encoder.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.decoder.parameters())


# --- what is kept --------------------------------------------------------------------------------------------------


def test_what_was_kept_is_put_back_with_what_normalisation_has_seen() -> None:
    model, objective = _pair("autoencoder", "mse", "linear", normalisation="batch")
    parameters, x = FlatParameters(model, objective), _batch("mse").profiles
    kept, expected = parameters.kept(), model.eval()(x).output
    model.train()(3.0 * x + 1.0)
    parameters.values.data.mul_(1.1)
    assert not torch.allclose(model.eval()(x).output, expected)
    parameters.restore(kept)
    assert torch.equal(model.eval()(x).output, expected)


def test_a_running_mean_is_what_is_validated_and_kept() -> None:
    """By its definition, over parameters and over what batch normalisation has seen."""
    model, objective = _pair("autoencoder", "mse", "linear", normalisation="batch")
    parameters, x = FlatParameters(model, objective, average=0.75), _batch("mse").profiles
    running = model.encoder.paths[0][1].running_mean
    mean, seen = parameters.values.data.clone(), running.clone()
    for step in range(1, 4):
        parameters.values.data.add_(step)
        model.train()(step * x)
        parameters.stepped()
        mean, seen = (0.75 * old + 0.25 * new for old, new in ((mean, parameters.values.data), (seen, running)))
    present = parameters.values.data.clone(), running.clone()
    with parameters.averaged():
        torch.testing.assert_close(parameters.values.data, mean)
        torch.testing.assert_close(running, seen)
    assert torch.equal(parameters.values.data, present[0])
    assert torch.equal(running, present[1])
    parameters.restore(parameters.kept())
    torch.testing.assert_close(parameters.values.data, mean)
    torch.testing.assert_close(running, seen)


def test_weights_decay_and_nothing_else() -> None:
    """Matrices of the network shrink; biases, normalisation, a linear path, heads and learned scales do not."""
    model, _ = _pair("pca_path", "mse", "linear", normalisation="batch")
    objective = Objective(ObjectiveSpec(loss="gaussian"), FEATURES, CODE)
    before = {name: part.detach().clone() for name, part in (*model.named_parameters(), *objective.named_parameters())}
    optimiser = Adam(FlatParameters(model, objective), lr=0.1, weight_decay=0.5)  # with gradients of zero
    optimiser.step()
    after = dict((*model.named_parameters(), *objective.named_parameters()))
    moved = {name for name, part in after.items() if not torch.equal(part, before[name])}
    assert moved == {f"{part}.paths.0.{place}.weight" for part in ("encoder", "decoder") for place in (0, 3)}
    for name in moved:
        torch.testing.assert_close(after[name].detach(), 0.95 * before[name])


def test_a_shared_weight_decays_once_and_learns_from_both_ends() -> None:
    model, objective = _pair("autoencoder", "mse", "linear", tied=True)
    x = _batch("mse").profiles
    weights = [layer.weight.detach().clone().requires_grad_() for layer in model.encoder.paths[0][::2]]
    h, encoder, decoder = x - model.center, model.encoder.paths[0][::2], model.decoder.paths[0][::2]
    for number, (weight, layer) in enumerate(zip(weights, encoder, strict=True)):
        h = h @ weight.T + layer.bias.detach()
        h = h.relu() if number < 2 else h
    for number, (weight, layer) in enumerate(zip(weights[::-1], decoder, strict=True)):
        h = h @ weight + layer.bias.detach()
        h = h.relu() if number < 2 else h
    (h - x).square().mean().backward()
    parameters = FlatParameters(model, objective)
    assert len(parameters.values) == sum(layer.weight.numel() + layer.bias.numel() for layer in encoder) + 8 + 6 + 12
    Gradients(model, objective)(_batch("mse"))
    for weight, layer in zip(weights, encoder, strict=True):
        torch.testing.assert_close(layer.weight.grad, weight.grad)
    before = weights[0].detach().clone()
    parameters.values.grad.zero_()
    Adam(parameters, lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(encoder[0].weight.detach(), 0.95 * before)
    assert decoder[-1].source[0].weight is encoder[0].weight
