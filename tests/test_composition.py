"""How candidates become specs: what was asked for, what a kind of model sets, and what cannot be had together."""

from __future__ import annotations

from typing import Any

import pytest
from tests.test_plan import KINDS as DATA
from tests.test_plan import planned

from losslens.data.gate import look
from losslens.models.catalogue import MODELS
from losslens.models.spec import CorruptionSpec, ModelSpec
from losslens.run.composition import (
    EMPHASES,
    Candidate,
    Shared,
    corruption_named,
    network_of,
    objective_of,
    shape_named,
    training_of,
)
from losslens.run.spec import TrainingSpec
from losslens.vocabulary.errors import BadInput, UnknownName

SEEN = {name: look(data(60, 8)) for name, data in DATA.items()}


def _shared(network: dict[str, Any] | None = None, training: dict[str, Any] | None = None, **shared: Any) -> Shared:
    return Shared(ModelSpec(**{"code": 9} | (network or {})), TrainingSpec(**training or {}), **shared)


def _training(kind: str, data: str = "real", **shared: Any) -> TrainingSpec:
    return training_of(Candidate("mse", "linear", kind), _shared(**shared), SEEN[data])


# --- what goes before what -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
def test_a_kind_sets_its_fields_and_leaves_the_others(kind: str) -> None:
    shared = _shared({"activation": "tanh"}, {"batch": 7}, shape=(1, 2, 4), classes=("a", "b"))
    candidate = Candidate("mse", "linear", kind)
    network, training = network_of(candidate, shared), training_of(candidate, shared, SEEN["real"])
    own = MODELS[kind].network
    assert {name: getattr(network, name) for name in own} == own
    assert (network.kind, network.code, network.activation, training.batch) == (kind, 9, "tanh", 7)
    plain = ModelSpec(code=9, activation="tanh", kind=kind, shape=network.shape)
    assert network.model_copy(update={name: getattr(plain, name) for name in own}) == plain
    assert {name for name in MODELS[kind].training if "corruption" not in name} <= {"average", "pretraining"}
    assert training.average == MODELS[kind].training.get("average", 0.0)


def test_what_was_asked_for_goes_first() -> None:
    candidate = Candidate("mse", "linear", "pca_path_averaged")
    assert network_of(candidate, _shared()).dropout == 0.3
    assert network_of(candidate, _shared({"dropout": 0.0})).dropout == 0.0
    assert training_of(candidate, _shared(), SEEN["real"]).average == 0.99
    assert training_of(candidate, _shared(training={"average": 0.5}), SEEN["real"]).average == 0.5
    image = Candidate("mse", "linear", "convolutional")
    assert network_of(image, _shared(shape=(1, 2, 4))).hidden == (16, 32)
    assert network_of(image, _shared({"hidden": (3,)}, shape=(1, 2, 4))).hidden == (3,)


def test_few_epochs_are_not_spent_on_warming_up_or_pretraining() -> None:
    for epochs, warm_up, pretraining in ((60, 10, 30), (10, 5, 10), (4, 2, 4), (1, 0, 1)):
        shared = _shared(training={"epochs": epochs})
        (term,) = objective_of(Candidate("mse", "linear", "variational"), shared).terms
        assert term.warm_up == warm_up
        assert _training("stacked", training={"epochs": epochs}).pretraining == pretraining


def test_pretraining_asked_for_is_for_stacked_kinds_alone() -> None:
    found = {kind: _training(kind, pretraining=7).pretraining for kind in MODELS}
    assert {kind for kind, epochs in found.items() if epochs == 7} == {kind for kind in MODELS if "stacked" in kind}
    assert set(found.values()) == {0, 7}


def test_beta_multiplies_divergences_and_nothing_else() -> None:
    for kind, entry in MODELS.items():
        terms = objective_of(Candidate("mse", "linear", kind), _shared(beta=3.0)).terms
        factor = 3.0 if entry.network.get("variational") else 1.0
        assert [term.weight for term in terms] == [factor * term.weight for term in entry.terms]


def test_classes_are_given_to_classifiers_alone() -> None:
    shared = _shared(classes=("a", "b"))
    given = {kind for kind in MODELS if objective_of(Candidate("mse", "linear", kind), shared).classes}
    assert given == {"classifier", "stacked_classifier", "stacked_denoising_classifier"}


# --- corruptions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "chosen"), [("counts", "thinning"), ("real", "gaussian"), ("unit", "masking"), ("binary", "masking")]
)
def test_the_kind_of_data_chooses_a_corruption(data: str, chosen: str) -> None:
    found = _training("denoising", data).corruption
    assert found is not None
    assert found.name == chosen
    assert found.options
    assert _training("autoencoder", data).corruption is None
    assert _training("stacked_denoising", data).pretraining_corruption.name == "masking"


def test_a_corruption_asked_for_takes_its_place() -> None:
    asked = corruption_named("gene_swap:0.4", "double")
    found = _training("denoising", "counts", corruption=asked).corruption
    assert found == CorruptionSpec(name="swap", options={"rate": 0.4}, corrupted=1.0, intact=0.5)
    assert _training("stacked_denoising", "counts", corruption=asked).pretraining_corruption == found
    assert _training("stacked", "counts", corruption=asked).pretraining_corruption is None


def test_thinning_is_for_counts_and_not_for_codes() -> None:
    thinning = corruption_named("thinning")
    assert _training("denoising", "counts", corruption=thinning).corruption is not None
    with pytest.raises(BadInput, match=r"counts, for the corruption thinning.*found data that are real"):
        _training("denoising", "real", corruption=thinning)
    with pytest.raises(BadInput, match="found codes of the layers below"):
        _training("stacked_denoising", "counts", corruption=thinning)


def test_emphases_are_those_of_vincent() -> None:
    """Corrupted entries weigh alpha, intact ones beta: double 1 and 1/2, full 1 and 0."""
    assert {
        name: (spec.corrupted, spec.intact) for name in EMPHASES if (spec := corruption_named("masking", name))
    } == {
        "none": (1.0, 1.0),
        "double": (1.0, 0.5),
        "full": (1.0, 0.0),
    }
    assert [corruption_named("masking", name).emphasises for name in EMPHASES] == [False, True, True]
    with pytest.raises(UnknownName, match="Did you mean 'double'"):
        corruption_named("masking", "doubled")


def test_under_an_emphasis_losses_of_whole_profiles_are_refused_and_the_others_go_on() -> None:
    shared = _shared(corruption=corruption_named("masking", "full"))
    whole = planned(losses=("mse", "cosine"), models=("denoising", "autoencoder"), shared=shared)
    assert [each.key for each in whole.candidates] == ["mse@denoising", "mse", "cosine"]
    (reason,) = [each.reason for each in whole.refused if each.candidate == "cosine@denoising"]
    assert "a value for each entry" in reason
    with pytest.raises(BadInput, match=r"at least one loss.*found cosine@denoising: an emphasis"):
        planned(losses=("cosine",), models=("denoising",), shared=shared)


# --- options that nobody follows, shapes ---------------------------------------------------------------------------


def test_options_that_no_candidate_follows_are_refused() -> None:
    for shared, part in (
        (_shared(corruption=corruption_named("masking")), "--corruption"),
        (_shared(beta=2.0), "--beta"),
        (_shared(pretraining=2), "--pretraining"),
    ):
        with pytest.raises(BadInput, match=f"for {part}, found autoencoder, sparse"):
            planned(losses=("mse",), models=("autoencoder", "sparse"), shared=shared)
        assert planned(losses=("mse",), models=("denoising", "variational", "stacked"), shared=shared).candidates


@pytest.mark.parametrize(
    ("text", "features", "shape"),
    [("5x7", 35, (1, 5, 7)), ("1x9", 9, (1, 1, 9)), ("3x6x5", 90, (3, 6, 5)), ("28X28", 784, (1, 28, 28)),
     (None, 49, (1, 7, 7)), (None, 50, ()), (None, 1, ()), ("", 4, (1, 2, 2))],
)  # fmt: skip
def test_shapes(text: str | None, features: int, shape: tuple[int, ...]) -> None:
    assert shape_named(text, features) == shape


@pytest.mark.parametrize("text", ["5x8", "35", "x", "5x", "-5x-7", "5x7x1x1", "5.0x7", "0x35", "five"])
def test_wrong_shapes_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="of 35 features in all"):
        shape_named(text, 35)
