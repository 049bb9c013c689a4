"""How it was done: a line for what was the same for all, and one for what only some kinds of models have."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from losslens.data import synthetic
from losslens.data.gate import look
from losslens.faces.method import settings
from losslens.models.spec import ModelSpec
from losslens.run.composition import Shared, corruption_named
from losslens.run.plan import plan
from losslens.run.spec import TrainingSpec

DATA = synthetic.gaussian_noise(samples=60, features=16)
COUNTS = synthetic.negative_binomial_counts(samples=60, features=16)


def told(
    *models: str,
    losses: tuple[str, ...] = ("mse",),
    data: Any = DATA,
    training: dict[str, Any] | None = None,
    network: dict[str, Any] | None = None,
    sizes: tuple[int, ...] = (),
    **shared: Any,
) -> dict[str, str]:
    own = Shared(
        model=ModelSpec(**{"hidden": (8,), "code": 4, **(network or {})}),
        training=TrainingSpec(**(training or {})),
        **shared,
    )
    intended = plan(
        look(data), own, content_hash="x", losses=losses, models=models, repeats=2, seed=0, sizes=sizes
    )  # fmt: skip
    parts = SimpleNamespace(train=np.arange(40), valid=np.arange(8), test=np.arange(12), how="at random")
    prepared: Any = SimpleNamespace(split=parts, features=16)
    return {line.name: line.value for line in settings(intended, own.training, prepared)}


def test_a_plain_comparison_says_nothing_of_what_it_has_not():
    lines = told()
    assert lines["Network"] == "16-8-4-8-16, relu"
    absent = {"Weight decay", "Averaged weights", "Corrupted inputs", "Pretraining", "Further terms", "Code sizes",
              "Scale-blind losses", "Count losses"}  # fmt: skip
    assert not absent & set(lines)
    assert all(lines.values())


def test_each_network_is_described_with_the_kinds_that_have_it():
    lines = told(
        "autoencoder", "denoising", "variational", "pca_path", "convolutional", "classifier",
        shape=(1, 4, 4), classes=("a", "b"), network={},
    )  # fmt: skip
    assert lines["Network"].split("; ") == [
        "plain, denoising: 16-8-4-8-16, relu",
        "variational: 16-8-4-8-16, relu, a normal posterior over codes",
        "pca path: 16-8-4-8-16, relu, a linear path that starts at PCA",
        "convolutional: 1x4x4 image, convolutions to 8 channels, each halving it, code 4, and back, relu",
        "classifier: 16-8-4-8-16, relu, a decoder that only reads the code",
    ]


def test_options_of_the_network_are_named():
    lines = told(network={"hidden": (8, 6), "dropout": 0.2, "normalisation": "layer", "tied": True})
    assert lines["Network"] == "16-8-6-4-6-8-16, relu, layer normalisation, dropout 0.2, weights tied"
    assert told(network={"hidden": ()})["Network"] == "16-4-16"


def test_weights_decay_and_are_averaged():
    assert told(training={"weight_decay": 0.01})["Weight decay"].startswith("0.01")
    assert told(training={"average": 0.99})["Averaged weights"] == "a running mean of which each step keeps 0.99"
    lines = told("autoencoder", "pca_path_averaged")
    assert lines["Averaged weights"] == "pca path averaged: a running mean of which each step keeps 0.99"
    assert "dropout 0.3" in lines["Network"].split("pca path averaged: ")[1]


def test_corruptions_are_named_with_their_strength_and_emphasis():
    assert told("denoising")["Corrupted inputs"] == "gaussian, sigma 0.3"
    lines = told("autoencoder", "denoising", corruption=corruption_named("masking:0.4", "double"))
    assert lines["Corrupted inputs"] == (
        "denoising: masking, rate 0.4, errors counting 1 where corrupted and 0.5 elsewhere"
    )


def test_pretraining_is_told_by_kind():
    lines = told("autoencoder", "stacked", "stacked_denoising")
    assert lines["Pretraining"].split("; ") == [
        "stacked: 30 epochs for each layer, then all layers together",
        "stacked denoising: 30 epochs for each layer on corrupted inputs (masking, rate 0.25), then all layers "
        "together",
    ]


def test_terms_are_told_with_weight_and_warm_up():
    lines = told("sparse", "variational", beta=0.5)
    assert lines["Further terms"].split("; ") == [
        "sparse: code_l1, weight 0.1",
        "variational: kl_standard_normal, weight 0.5, rising from zero over 10 epochs",
    ]


@pytest.mark.parametrize(("loss", "line"), [("cosine", "Scale-blind losses"), ("poisson", "Count losses")])
def test_what_only_some_losses_need_is_told_where_they_are(loss, line):
    assert line in told(losses=(loss,), data=COUNTS)
    assert line not in told(losses=("mse",), data=COUNTS)


def test_code_sizes_are_listed_once():
    lines = told("autoencoder", "pca_path", sizes=(2, 4, 8))
    assert lines["Network"].startswith("plain: 16-8-(2|4|8)-8-16, relu; pca path: 16-8-(2|4|8)-8-16")
    assert lines["Code sizes"].startswith("2, 4, 8; the knee is")
    assert "Breiman" in lines["Code sizes"]
