"""Layer-wise pretraining: every layer learns, on what the layers below give for clean profiles."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from losslens.models.autoencoders import Autoencoder, start
from losslens.models.corruptions import checked
from losslens.models.objective import Batch, Objective
from losslens.models.spec import CorruptionSpec, ModelSpec, ObjectiveSpec
from losslens.run.pretraining import Course, layers, pretrain
from losslens.run.spec import TrainingSpec
from losslens.vocabulary.errors import BadInput

SAMPLES, FEATURES, CODE, SEED = 90, 10, 2, 11
MASKING = checked(CorruptionSpec(name="masking", options={"rate": 0.3}))


def _rows(index: Tensor) -> Batch:
    return Batch(*(None if part is None else part[index] for part in DATA))


def _data() -> Batch:
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(SAMPLES, 3, generator=generator) @ torch.randn(3, FEATURES, generator=generator)
    counts = torch.poisson((factors / 2.0 + 1.0).exp(), generator=generator)
    library = counts.sum(1, keepdim=True).clamp_min(1.0)
    return Batch(torch.log1p(counts * 40.0 / library), counts, library, 40.0 / library)


DATA, TRAIN = _data(), torch.arange(0, SAMPLES, 2)


def _network(loss: str = "mse", link: str = "linear", **spec: Any) -> tuple[Autoencoder, Objective]:
    torch.manual_seed(0)
    net = ModelSpec(**{"hidden": (8, 6), "code": CODE} | spec)
    model, objective = Autoencoder.build(net, FEATURES), Objective(ObjectiveSpec(loss=loss, link=link), FEATURES, CODE)
    mean = DATA.counts.mean(0) if objective.on_counts else DATA.profiles.mean(0)
    start(model, net, DATA.profiles.mean(0), objective.raw_mean(mean), None)
    return model, objective


def _course(corruption: CorruptionSpec | None = None, lr: float = 1e-2, epochs: int = 25, batch: int = 9) -> Course:
    spec = TrainingSpec(pretraining=epochs, pretraining_corruption=corruption, batch=batch)
    return Course.of(spec, lr, _rows, TRAIN, SEED)


# --- every layer learns --------------------------------------------------------------------------------------------

NETWORKS: list[tuple[str, str, dict[str, Any]]] = [
    ("mse", "linear", {}),
    ("mse", "softplus", {"activation": "tanh"}),
    ("cosine", "linear", {}),
    ("gaussian", "linear", {"tied": True}),
    ("negative_binomial", "softmax", {}),
    ("zero_inflated_poisson", "softmax", {"normalisation": "layer"}),
    ("bernoulli", "logits", {}),
    ("mae", "linear", {"normalisation": "batch"}),
    ("huber", "linear", {"dropout": 0.5}),
    ("mse", "linear", {"hidden": ()}),
    ("mse", "linear", {"hidden": (8,), "activation": "sigmoid", "tied": True}),
]


@pytest.mark.parametrize("corruption", [None, MASKING], ids=["clean", "masked"])
@pytest.mark.parametrize(("loss", "link", "spec"), NETWORKS)
def test_the_loss_of_every_layer_falls(
    loss: str, link: str, spec: dict[str, Any], corruption: CorruptionSpec | None
) -> None:
    model, objective = _network(loss, link, **spec)
    before = [part.detach().clone() for part in model.parameters()]
    curves = pretrain(model, objective, _course(corruption))
    assert len(curves) == len(spec.get("hidden", (8, 6))) + 1
    for curve in curves:
        assert len(curve) == 25
        assert curve[-1] < 0.98 * curve[0] if curve[0] > 0 else curve[-1] < curve[0]
    matrices = [(was, now) for was, now in zip(before, model.parameters(), strict=True) if was.dim() > 1]
    assert all(not torch.equal(was, now) for was, now in matrices)


def test_layers_are_pairs_of_encoder_and_decoder() -> None:
    model, _ = _network(dropout=0.5, normalisation="batch")
    found = layers(model)
    sizes = [(layer.down[0].in_features, layer.down[0].out_features) for layer in found]
    assert sizes == [(FEATURES, 8), (8, 6), (6, CODE)]
    assert [(layer.up[0].out_features, layer.up[0].in_features) for layer in found] == sizes
    assert not any(isinstance(part, nn.Dropout) for layer in found for part in layer.modules())
    every = {id(parameter) for layer in found for parameter in layer.parameters()}
    assert every == {id(parameter) for parameter in model.parameters()}


@pytest.mark.parametrize(
    "spec", [{"linear_path": True}, {"variational": True}, {"architecture": "convolutional", "shape": (1, 2, 5)}]
)
def test_networks_without_a_chain_of_layers_are_refused(spec: dict[str, Any]) -> None:
    model = Autoencoder.build(ModelSpec(hidden=(8,), code=CODE, **spec), FEATURES)
    with pytest.raises(BadInput, match="a plain chain of layers"):
        layers(model)


# --- on clean representations --------------------------------------------------------------------------------------
# With a learning rate of zero the curves are the losses of the first weights, which can be computed by other means.


@torch.no_grad()
def _by_hand(model: Autoencoder, corruption: CorruptionSpec, wrong: str = "") -> list[float]:
    """The loss of each layer in one epoch, with the numbers that pretraining draws, in plain matrix products."""
    order, noise = (torch.Generator().manual_seed(SEED + part) for part in (2, 3))
    encoder, decoder = (list(part.paths[0]) for part in (model.encoder, model.decoder))
    down, up = encoder[::2], decoder[::2][::-1]
    below, losses = DATA.profiles[TRAIN], []
    for number, (wide, back) in enumerate(zip(down, up, strict=True)):
        centre = model.center if number == 0 else 0.0
        total, dirty = 0.0, below.clone()
        for part in torch.randperm(len(TRAIN), generator=order).tensor_split(5):
            touched = torch.rand(below[part].shape, generator=noise) < 0.3
            dirty[part] = torch.where(touched, 0.0, below[part])
            code = _relu((dirty[part] - centre) @ wide.weight.T + wide.bias, number < 2)
            rebuilt = _relu(code @ back.weight.T + back.bias, number > 0)
            target = dirty[part] if wrong == "restores what is corrupted" else below[part]
            weight = torch.where(touched, corruption.corrupted, corruption.intact)
            weight = torch.ones_like(weight) if wrong == "no emphasis" else weight
            total += float(((rebuilt - target) ** 2 * weight).mean()) * len(part)
        losses.append(total / len(TRAIN))
        given = dirty if wrong == "corrupted representations below" else below
        below = _relu((given - centre) @ wide.weight.T + wide.bias, True).detach()
    return losses


def _relu(values: Tensor, active: bool) -> Tensor:
    return values.clamp_min(0.0) if active else values


EMPHASISED = MASKING.model_copy(update={"intact": 0.5})


@pytest.mark.parametrize("corruption", [MASKING, EMPHASISED], ids=["plain", "emphasised"])
def test_layers_see_clean_representations_corrupted_in_their_own_training_only(corruption: CorruptionSpec) -> None:
    model, objective = _network()
    curves = pretrain(model, objective, _course(corruption, lr=0.0, epochs=1))
    assert [curve[0] for curve in curves] == pytest.approx(_by_hand(model, corruption), rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "layers_told_apart"),
    [
        ("corrupted representations below", [1, 2]),
        ("restores what is corrupted", [0, 1, 2]),
        ("no emphasis", [0, 1, 2]),
    ],
)
def test_wrong_variants_are_told_apart(wrong: str, layers_told_apart: list[int]) -> None:
    model, objective = _network()
    curves = pretrain(model, objective, _course(EMPHASISED, lr=0.0, epochs=1))
    wrongly = _by_hand(model, EMPHASISED, wrong)
    apart = [n for n, curve in enumerate(curves) if curve[0] != pytest.approx(wrongly[n], rel=1e-3)]
    assert apart == layers_told_apart


def test_a_layer_stays_as_it_is_while_the_next_ones_learn() -> None:
    """What the lowest layer comes to is the same whether others are trained after it or not."""
    model, objective = _network()
    lowest = layers(model)[0]
    pretrain(model, objective, _course(MASKING))
    shallow = _network(hidden=(8,))[0]
    _start_alike(shallow, _network()[0])
    pretrain(shallow, objective, _course(MASKING))
    ours, theirs = (list(each.parameters()) for each in (lowest, layers(shallow)[0]))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def _start_alike(shallow: Autoencoder, deep: Autoencoder) -> None:
    for ours, theirs in zip(layers(shallow)[0].parameters(), layers(deep)[0].parameters(), strict=True):
        ours.data.copy_(theirs.data)


def test_the_same_seed_gives_the_same_layers() -> None:
    found = []
    for _ in range(2):
        model, objective = _network(dropout=0.3)
        pretrain(model, objective, _course(MASKING))
        found.append([part.detach().clone() for part in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
