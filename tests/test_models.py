"""Kinds of models: each is data, and each trains, is saved, loaded, used and taken up again."""

from __future__ import annotations

import ast
import inspect
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.small_runs import tiny, without_times
from torch import nn

import losslens
from losslens.data import synthetic
from losslens.data.gate import look
from losslens.data.profiles import Profiles
from losslens.data.splits import split
from losslens.losses import LOSSES
from losslens.models import catalogue
from losslens.models.autoencoders import Autoencoder
from losslens.models.catalogue import MODELS
from losslens.models.objective import Batch, Objective, Term, outputs_of
from losslens.models.spec import ModelSpec, ObjectiveSpec
from losslens.run.composition import Candidate, Shared, network_of, objective_of, training_of
from losslens.run.plan import sort_pairs, transform_of
from losslens.run.prepared import DataFolder
from losslens.run.spec import SplitSpec, TrainingSpec, TrialSpec
from losslens.run.trial import run_trial

KINDS = list(MODELS)
COUNTS = synthetic.negative_binomial_counts(samples=60, features=16)
NETWORK, TRAINING = ModelSpec(hidden=(8,), code=9), TrainingSpec(epochs=1, learning_rates=(1e-3,), batch=16)
DATA: dict[str, Profiles] = {
    "counts": COUNTS,
    "real": synthetic.gaussian_noise(samples=60, features=16),
    "unit": synthetic.unit_interval(samples=60, features=16),
    "binary": synthetic.binary(samples=60, features=16),
}


def _shared(data: Profiles, network: ModelSpec = NETWORK, training: TrainingSpec = TRAINING) -> Shared:
    return Shared(network, training, shape=(1, 4, 4), classes=tuple(sorted(set(map(str, data.labels)))))


def _trial(data: Profiles, kind: str, loss: str, shared: Shared | None = None) -> TrialSpec:
    seen, shared = look(data), shared or _shared(data)
    candidate = Candidate(loss, LOSSES[loss].link or "linear", kind)
    return TrialSpec(
        data=data.content_hash,
        transform=transform_of(seen),
        split=SplitSpec(repeat=1),
        model=network_of(candidate, shared),
        objective=objective_of(candidate, shared),
        training=training_of(candidate, shared, seen),
    )


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


# --- entries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_speaks_in_sentences_and_names_what_there_is(kind: str) -> None:
    entry = MODELS[kind]
    for text in (entry.summary, entry.use, entry.failure):
        assert text.endswith(".")
        assert text[0].isupper()
        assert len(text.split()) > 4
    assert entry.reference
    assert not entry.called.endswith(".")
    ModelSpec.model_validate(entry.network)
    TrainingSpec.model_validate({name: value for name, value in entry.training.items() if "corruption" not in name})
    assert entry.training.keys() <= TrainingSpec.model_fields.keys()
    for spec in entry.terms:
        term = Term(spec)
        assert set(term.names) <= {"code", "mean", "log_variance", "inputs", "logits", "labels"}
        assert all(value in term.entry.options[name].range for name, value in spec.options.items())
        assert set(spec.on) <= {argument.name for argument in term.entry.family.arguments}
    assert (entry.needs == "labels") == bool(entry.network.get("reads_code"))
    assert (entry.needs == "shape") == (entry.network.get("architecture") == "convolutional")


def test_rows_of_a_table_are_told_apart() -> None:
    called = [entry.called for entry in MODELS.values()]
    assert len(set(called)) == len(called)


def test_a_kind_costs_a_few_lines_of_data() -> None:
    """Nothing is written for a kind but its entry: no module outside the catalogue names one in code."""
    source = Path(inspect.getfile(catalogue)).read_text("utf-8")
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call) and ast.unparse(n.func) == "_enter"]
    lines = {ast.literal_eval(call.keywords[0].value): call.end_lineno - call.lineno + 1 for call in calls}
    assert set(lines) == set(KINDS)
    assert max(lines.values()) <= 14
    other_uses = {"autoencoder", "pca_path", "contractive", "convolutional", "variational"}  # defaults, losses, fields
    own = set(KINDS) - other_uses
    named = {
        (path.name, node.value)
        for path in Path(losslens.__file__).parent.rglob("*.py")
        if path.name != "catalogue.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in own
    }
    assert named == set()


# --- every kind under every loss that it allows --------------------------------------------------------------------


def _fitting(data: Profiles) -> list[str]:
    return list(dict.fromkeys(loss for loss, _ in sort_pairs(look(data))[0]))


def _runs(data: Profiles, kind: str, losses: list[str], folder: Path) -> None:
    written = DataFolder.write(data, folder).folder
    for loss in losses:
        result = run_trial(_trial(data, kind, loss), written).result
        assert result.status == "ok", (loss, result.cause)
        assert all(value is None or math.isfinite(value) for value in result.metrics.values()), loss
        assert all(math.isfinite(value) for fit in result.fits for value in (*fit.train, *fit.valid)), loss


REPRESENTATIVE = {
    "counts": ["mse", "negative_binomial", "zero_inflated_negative_binomial"],
    "real": ["cosine", "gaussian", "laplace", "student_t", "calibrated_gaussian", "beta_nll"],
    "unit": ["continuous_bernoulli", "huber"],
    "binary": ["bernoulli", "pearson"],
}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_under_each_sort_of_loss(kind: str, data: str, cache_folder: Path) -> None:
    _runs(DATA[data], kind, REPRESENTATIVE[data], cache_folder)


def test_every_loss_that_some_kind_of_data_allows_is_tried() -> None:
    tried = {loss for data in DATA.values() for loss in _fitting(data)}
    no_data = {"log_normal", "beta"}  # for data without zeros, and for data strictly between 0 and 1
    assert tried == {name for name, entry in LOSSES.items() if entry.reconstructs} - no_data


@pytest.mark.parametrize("data", DATA)
def test_a_variational_model_trains_under_every_loss(data: str, cache_folder: Path) -> None:
    """The kind that asks most of a loss: noise in the code, a divergence beside it, a bound, a weight."""
    _runs(DATA[data], "variational", _fitting(DATA[data]), cache_folder)


def test_a_denoising_trial_sees_corrupted_inputs_and_is_validated_on_clean_ones(cache_folder: Path) -> None:
    folder = DataFolder.write(COUNTS, cache_folder).folder
    fits = {kind: run_trial(_trial(COUNTS, kind, "mse"), folder).result.fits[0] for kind in
            ("autoencoder", "denoising", "stacked", "stacked_denoising")}  # fmt: skip
    assert fits["denoising"].valid[0] == fits["autoencoder"].valid[0]
    assert fits["denoising"].train[0] != fits["autoencoder"].train[0]
    assert len({fits[kind].valid[0] for kind in ("autoencoder", "stacked", "stacked_denoising")}) == 3


@pytest.mark.parametrize("kind", ["classifier", "stacked_classifier", "stacked_denoising_classifier"])
def test_a_classifier_finds_classes_that_are_there(kind: str, cache_folder: Path) -> None:
    rng = np.random.default_rng(0)
    classes = rng.permutation(np.repeat([0, 1, 2], 30))
    values = rng.normal(size=(90, 16)) + 4.0 * np.eye(3, 16)[classes]
    data = losslens.inspect(values, label=np.array(["c", "a", "b"])[classes]).profiles
    shared = _shared(data, NETWORK, TRAINING.model_copy(update={"epochs": 30, "learning_rates": (1e-2,)}))
    found = run_trial(_trial(data, kind, "mse", shared), DataFolder.write(data, cache_folder).folder).result.metrics
    assert found["classifier_accuracy"] > 0.9
    assert found["knn_accuracy"] > 0.9
    assert 0.0 < found["r2"] < 1.0  # the decoder has read what there is


def test_a_variational_trial_says_what_it_is(cache_folder: Path) -> None:
    folder = DataFolder.write(COUNTS, cache_folder).folder
    mse, counts = (run_trial(_trial(COUNTS, "variational", loss), folder).result.metrics for loss in ("mse", "poisson"))
    assert mse["kl_weight"] == pytest.approx(0.5, rel=1e-5)
    assert counts["kl_weight"] == 1.0
    assert mse["marginal_nats_mass"] is mse["marginal_nats_density"] is counts["marginal_nats_density"] is None
    assert counts["marginal_nats_mass"] != counts["nats_mass"]
    plain = run_trial(_trial(COUNTS, "autoencoder", "poisson"), folder).result.metrics
    assert plain["kl_weight"] is plain["marginal_nats_mass"] is None
    assert plain["zeros_gap"] is not None


# --- equal seeds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_trial_again_is_the_same_bit_for_bit(kind: str, cache_folder: Path) -> None:
    network = {"hidden": (8,), "code": 9, "dropout": 0.2}
    normalisation = {} if kind == "contractive" else {"normalisation": "batch"}
    shared = _shared(COUNTS, ModelSpec(**network, **normalisation), TRAINING.model_copy(update={"epochs": 3}))
    spec, folder = _trial(COUNTS, kind, "mse", shared), DataFolder.write(COUNTS, cache_folder).folder
    torch.manual_seed(1)
    first = run_trial(spec, folder)
    torch.manual_seed(2)
    again = run_trial(spec, folder)
    assert first.result.metrics == again.result.metrics
    assert [fit.valid for fit in first.result.fits] == [fit.valid for fit in again.result.fits]
    assert all(np.array_equal(value, again.weights[name]) for name, value in first.weights.items())
    other = run_trial(spec.model_copy(update={"seed": 1}), folder)
    assert first.result.metrics != other.result.metrics


@pytest.mark.parametrize("kind", ["autoencoder", "denoising", "variational", "stacked_denoising"])
def test_other_rates_in_the_grid_do_not_change_the_training_that_is_kept(kind: str, cache_folder: Path) -> None:
    network = ModelSpec(hidden=(8,), code=9, dropout=0.3)
    weights = []
    for rates in ((1e-3,), (1e-9, 1e-3)):
        shared = _shared(COUNTS, network, TRAINING.model_copy(update={"epochs": 4, "learning_rates": rates}))
        folder = DataFolder.write(COUNTS, cache_folder).folder
        weights.append(run_trial(_trial(COUNTS, kind, "mse", shared), folder).weights)
    assert all(np.array_equal(value, weights[1][name]) for name, value in weights[0].items())


def _orders(kind: str, loss: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[list[int]]:
    """The rows of each step of the training proper."""
    from losslens.run import loop

    seen: list[list[int]] = []

    def spied(*arguments: Any) -> Any:
        for part in genuine(*arguments):
            seen.append(part.tolist())
            yield part

    with monkeypatch.context() as patch:
        genuine = loop.shuffled
        patch.setattr(loop, "shuffled", spied)
        training = TRAINING.model_copy(update={"epochs": 2})
        run_trial(_trial(COUNTS, kind, loss, _shared(COUNTS, NETWORK, training)), folder)
    return seen


def test_all_candidates_of_a_repeat_see_their_rows_in_the_same_order(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = DataFolder.write(COUNTS, cache_folder).folder
    first = _orders("autoencoder", "mse", monkeypatch, folder)
    assert len(first) == 4
    assert first[:2] != first[2:]
    for kind, loss in [("denoising", "cosine"), ("variational", "poisson"), ("stacked_denoising", "mse"),
                       ("classifier", "mae"), ("convolutional", "mse")]:  # fmt: skip
        assert _orders(kind, loss, monkeypatch, folder) == first


# --- save, load, transform, reconstruct, resume --------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A comparison of one kind of model, with batch normalisation where it can be had; made once."""

    @cache
    def of(kind: str) -> Any:
        normalisation = "layer" if kind == "contractive" else "batch"
        return tiny(COUNTS.values, tmp_path_factory.mktemp(kind) / "out", **_options(kind, normalisation))

    return of


def _options(kind: str, normalisation: str = "batch") -> dict[str, Any]:
    return {
        "label": COUNTS.labels, "losses": ["mse"], "models": [kind], "normalisation": normalisation, "code": 9,
        "repeats": 1, "epochs": 4,
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_saved_model_gives_the_held_out_scores_of_the_report(kind: str, compared: Any) -> None:
    """So it is the one with the best weights, its running statistics as they were, and neither dropout nor noise."""
    found = compared(kind)
    (row,) = [row for row in found.document.rows if row.role == "candidate"]
    assert found.recommended == row.key
    test = split(60, COUNTS.labels, None, repeat=0, seed=0).test
    model = losslens.load(found.folder)
    rebuilt = model.reconstruct(COUNTS.values, space="working")[test]
    target = model.preprocessing.apply(COUNTS.values)[test]
    assert np.square(rebuilt - target).mean() == pytest.approx(row.measurements["mse"].mean, rel=1e-5)
    codes = model.transform(COUNTS.values)
    assert codes.shape == (60, 9)
    assert np.array_equal(codes, found.model.transform(COUNTS.values))


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_is_enough(kind: str, compared: Any) -> None:
    model = compared(kind).model
    for method in (model.transform, model.reconstruct):
        np.testing.assert_allclose(method(COUNTS.values[:1]), method(COUNTS.values)[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_taken_up_again_from_the_store(kind: str, compared: Any) -> None:
    found = compared(kind)
    times = {path: path.stat().st_mtime_ns for path in found.folder.glob("trials/*/result.json")}
    again = tiny(COUNTS.values, found.folder, **_options(kind, "layer" if kind == "contractive" else "batch"))
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert without_times(again.document.model_dump()) == without_times(found.document.model_dump())


def test_stacked_and_end_to_end_in_one_comparison(tmp_path: Path) -> None:
    kinds = ["autoencoder", "stacked", "stacked_denoising", "stacked_classifier", "classifier"]
    document = tiny(
        COUNTS.values, tmp_path / "out", label=COUNTS.labels, losses=["mse"], models=kinds, hidden=[12, 8]
    ).document
    rows = {row.key: row for row in document.rows if row.role == "candidate"}
    assert set(rows) == {"mse" if kind == "autoencoder" else f"mse@{kind}" for kind in kinds}
    assert all(row.repeats == [0, 1] for row in rows.values())
    said = {key for key, row in rows.items() if "classifier_accuracy" in row.measurements}
    assert said == {"mse@stacked_classifier", "mse@classifier"}
    starts = {key: row.curves[0].valid[0] for key, row in rows.items() if key not in said}
    assert max(starts["mse@stacked"], starts["mse@stacked_denoising"]) < starts["mse"]  # layers have learned already


def test_reduced_precision_runs(cache_folder: Path) -> None:
    training = TRAINING.model_copy(update={"precision": "bf16"})
    for kind in KINDS:
        spec = _trial(COUNTS, kind, "mse", _shared(COUNTS, NETWORK, training))
        assert run_trial(spec, DataFolder.write(COUNTS, cache_folder).folder).result.status == "ok"
    assert torch.get_float32_matmul_precision() == "highest"


# --- networks ------------------------------------------------------------------------------------------------------

IMAGES = [(1, 5, 7), (1, 1, 9), (3, 6, 5), (1, 1, 2), (2, 1, 1), (1, 28, 28), (3, 2, 3)]


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
@pytest.mark.parametrize("hidden", [(4,), (4, 6), (4, 6, 8)])
@pytest.mark.parametrize("shape", IMAGES, ids=str)
def test_images_of_any_size_go_down_and_come_back(
    shape: tuple[int, int, int], hidden: tuple[int, ...], normalisation: Any
) -> None:
    """Every pixel of the output depends on the code, and the code on every pixel of the input."""
    torch.manual_seed(0)
    spec = ModelSpec(
        architecture="convolutional", hidden=hidden, code=3, shape=shape, normalisation=normalisation, activation="elu"
    )
    features = math.prod(shape)
    model = Autoencoder.build(spec, features).train()
    assert model(torch.randn(4, features)).output.shape == (4, features)
    x = torch.randn(1, features, requires_grad=True)
    outputs = model.eval()(x)
    (slope,) = torch.autograd.grad(outputs.code.square().sum(), x)
    assert slope.abs().min() > 0 or normalisation == "layer"  # which may centre a lone pixel away
    other = model.decode(outputs.code + 1.0)
    assert ((other - outputs.output).abs() > 0).float().mean() > 0.9


def test_convolutions_know_neighbours() -> None:
    """In one layer a pixel reaches those around it, of every channel, and no others."""
    torch.manual_seed(0)
    spec = ModelSpec(architecture="convolutional", hidden=(5,), code=2, shape=(2, 7, 9))
    first = Autoencoder.build(spec, 126).encoder.paths[0][:2]
    x = torch.zeros(1, 126)
    x[0, 63 + 3 * 9 + 4] = 1.0  # channel 1, row 3, column 4
    reached = (first(x) - first(torch.zeros(1, 126))).abs().sum(1)[0] > 0
    assert reached.nonzero().tolist() == [[1, 2], [2, 2]]  # of rows 1..5 and columns 3..5, in steps of two


def test_an_image_is_learned_through_a_comparison(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = np.clip(rng.normal(0.5, 0.2, size=(60, 1)) + rng.normal(0.0, 0.1, size=(60, 35)), 0.0, 1.0)
    found = tiny(
        images, tmp_path / "out", losses=["mse"], models=["convolutional"], shape="5x7", hidden=[4], repeats=1, epochs=8
    )
    (curve,) = [curve for row in found.document.rows for curve in row.curves if row.role == "candidate"]
    assert min(curve.valid) < curve.valid[0]
    assert found.model.saved.model.shape == (1, 5, 7)
    np.testing.assert_allclose(found.model.transform(images[:1]), found.model.transform(images)[:1], atol=1e-5)


def test_tied_weights_are_one_parameter_also_in_copies_and_files() -> None:
    from copy import deepcopy

    torch.manual_seed(0)
    spec = ModelSpec(hidden=(8, 6), code=3, tied=True, normalisation="batch")
    model = Autoencoder.build(spec, 10)
    assert sum(name.endswith("weight") and part.dim() > 1 for name, part in model.named_parameters()) == 3
    x = torch.randn(4, 10)
    expected = model.eval()(x).output
    copied, loaded = deepcopy(model), Autoencoder.build(spec, 10).eval()
    loaded.load_state_dict(model.state_dict())
    with torch.no_grad():
        for part in model.parameters():
            part.mul_(2.0)
    for other in (copied, loaded):
        assert torch.equal(other(x).output, expected)
        encoder, decoder = other.encoder.paths[0], other.decoder.paths[0]
        assert decoder[-1].source[0] is encoder[0]
        encoder[0].weight.data.mul_(3.0)
        assert not torch.equal(other.decode(torch.ones(1, 3)), model.decode(torch.ones(1, 3)))


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "softplus", "sigmoid", "silu"])
@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
def test_any_activation_and_normalisation_stand_between_layers_and_not_after_the_last(
    activation: str, normalisation: Any
) -> None:
    spec = ModelSpec(hidden=(8, 6), code=3, activation=activation, normalisation=normalisation, dropout=0.1)
    model = Autoencoder.build(spec, 10)
    for part in (model.encoder, model.decoder):
        chain = list(part.paths[0])
        assert isinstance(chain[0], nn.Linear)
        assert isinstance(chain[-1], nn.Linear)
        assert sum(isinstance(layer, nn.Dropout) for layer in chain) == 2
        of_kind = {"none": (), "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[normalisation]
        assert sum(isinstance(layer, of_kind) for layer in chain) == (0 if normalisation == "none" else 2)


# --- objectives ----------------------------------------------------------------------------------------------------


def test_an_objective_is_a_weighted_list_of_terms() -> None:
    """The l1 penalty in the units of the first term: once for each feature, or beside nats as it is."""
    torch.manual_seed(0)
    model, x = Autoencoder.build(ModelSpec(hidden=(8,), code=3), 10), torch.randn(6, 10)
    outputs = model(x)
    penalty = 0.1 * outputs.code.abs().sum(1).mean()
    for loss, scale in (("mse", 10.0), ("cosine", 10.0), ("gaussian", 1.0)):
        objective = Objective(ObjectiveSpec(loss=loss, terms=MODELS["sparse"].terms), 10, 3)
        own, alone = objective.own_loss(outputs, Batch(x)), objective.reconstruction_loss(outputs.output, Batch(x))
        torch.testing.assert_close(own - alone, penalty / scale)


def test_a_contractive_penalty_is_the_squared_jacobian_of_the_code() -> None:
    torch.manual_seed(0)
    model = Autoencoder.build(ModelSpec(hidden=(8,), code=3, activation="tanh"), 10).double()
    x = torch.randn(5, 10, dtype=torch.float64)
    objective = Objective(ObjectiveSpec(loss="mse", terms=MODELS["contractive"].terms), 10, 3).double()
    outputs = outputs_of(model, objective, x, None)
    jacobians = [torch.autograd.functional.jacobian(lambda row: model.encode(row[None])[0], row) for row in x]
    expected = 0.01 / 10 * torch.stack([jacobian.square().sum() for jacobian in jacobians]).mean()
    found = objective.own_loss(outputs, Batch(x)) - objective.reconstruction_loss(outputs.output, Batch(x))
    torch.testing.assert_close(found, expected)


def test_a_warm_up_raises_the_weight_epoch_by_epoch() -> None:
    (spec,) = MODELS["variational"].terms
    term = Term(spec.model_copy(update={"warm_up": 4}))
    assert [term.share(epoch) for epoch in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert term.share(None) == 1.0
    assert Term(spec.model_copy(update={"warm_up": 0})).share(0) == 1.0


def test_a_classifier_is_judged_by_its_labels_and_its_decoder_learns_beside_it() -> None:
    torch.manual_seed(0)
    model = Autoencoder.build(ModelSpec(hidden=(8,), code=3, reads_code=True), 10)
    objective = Objective(ObjectiveSpec(loss="mse", terms=MODELS["classifier"].terms, classes=("a", "b", "c")), 10, 3)
    batch = Batch(torch.randn(6, 10), labels=torch.tensor([0, 1, 2, 0, 1, 2]))
    outputs = model(batch.profiles)
    total, own = objective(outputs, batch)
    expected = nn.functional.cross_entropy(objective.classifier(outputs.code), batch.labels)
    torch.testing.assert_close(own, expected)
    torch.testing.assert_close(total - own, nn.functional.mse_loss(outputs.output, batch.profiles))
    said = objective.labels(outputs)
    assert said == [("a", "b", "c")[place] for place in objective.classifier(outputs.code).argmax(1)]
