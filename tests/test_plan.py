"""What is planned for which data, and which work is left when some of it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from losslens.data import synthetic
from losslens.data.gate import look
from losslens.data.readers import read
from losslens.losses import LOSSES
from losslens.models.spec import BASELINES, ModelSpec
from losslens.run.composition import Candidate, Shared
from losslens.run.executors import Lost, Serial
from losslens.run.plan import Plan, plan, simplicity, sort_pairs
from losslens.run.prepared import DataFolder
from losslens.run.session import Clock, complete
from losslens.run.spec import TrainingSpec, TrialSpec
from losslens.run.store import Store
from losslens.vocabulary.errors import BadInput, UnknownName

KINDS = {
    "counts": synthetic.negative_binomial_counts,
    "real": synthetic.gaussian_noise,
    "unit": synthetic.unit_interval,
    "binary": synthetic.binary,
}
DATA = synthetic.gaussian_noise(samples=60, features=8)


def planned(data: Any = DATA, **options: Any) -> Plan:
    """A plan with a tiny network."""
    settings = {"losses": (), "models": (), "repeats": 2, "seed": 0} | options
    shared = settings.pop(
        "shared", Shared(ModelSpec(hidden=(8,), code=2), TrainingSpec(epochs=1, learning_rates=(1e-3,)))
    )
    return plan(look(data), shared, content_hash=data.content_hash, **settings)


# --- which pairs fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_fits_or_is_refused(kind):
    fitting, refused = sort_pairs(look(KINDS[kind](60, 8)))
    fits, not_fits = {loss for loss, _ in fitting}, {each.candidate for each in refused}
    assert fits | not_fits >= {entry.name for entry in LOSSES.values() if entry.reconstructs}
    assert all(LOSSES[name].reconstructs for name in fits)
    assert not fits & not_fits
    assert len(fitting) == len(set(fitting))
    assert all(each.reason and not each.reason.endswith(".") for each in refused)


@pytest.mark.parametrize(
    ("kind", "fits", "refused"),
    [
        ("counts", {"poisson", "negative_binomial", "mse", "cosine"}, {"bernoulli", "continuous_bernoulli"}),
        ("real", {"mse", "gaussian", "laplace"}, {"poisson", "negative_binomial", "bernoulli"}),
        ("unit", {"continuous_bernoulli", "mse"}, {"bernoulli", "poisson"}),
        ("binary", {"bernoulli", "mse"}, {"continuous_bernoulli"}),
    ],
)
def test_likelihoods_fit_the_data_they_are_for(kind, fits, refused):
    fitting, misfits = sort_pairs(look(KINDS[kind](60, 8)))
    assert fits <= {loss for loss, _ in fitting}
    assert refused <= {each.candidate for each in misfits}


@pytest.mark.parametrize("kind", KINDS)
def test_a_comparison_tries_the_candidates_that_fit(kind):
    data = KINDS[kind](60, 8)
    fitting = {loss for loss, _ in sort_pairs(look(data))[0]}
    tried = {each.loss for each in planned(data).candidates}
    assert tried == {name for name in fitting if LOSSES[name].candidate}
    assert {"mse", "cosine"} <= tried


def test_an_output_that_cannot_reach_the_data_is_refused():
    fitting, refused = sort_pairs(look(DATA))
    assert ("mse", "linear") in fitting
    assert ("mse", "sigmoid") not in fitting
    assert any("sigmoid output" in each.candidate and "[0, 1]" in each.reason for each in refused)


# --- which trials --------------------------------------------------------------------------------------------------


def test_every_repeat_has_every_baseline_and_every_candidate():
    whole = planned(repeats=3)
    rows = Counter(spec.key for spec in whole.trials)
    assert set(rows.values()) == {3}
    assert set(rows) >= set(BASELINES) | {"mse", "cosine", "mse@pca_path"}
    assert len(rows) == len(BASELINES) + len(whole.candidates)
    assert len({spec.id for spec in whole.trials}) == len(whole.trials)


def test_repeats_are_planned_one_after_the_other():
    repeats = [spec.split.repeat for spec in planned(repeats=3).trials]
    assert repeats == sorted(repeats)


def test_baselines_do_not_depend_on_the_network_but_for_the_code_of_pca():
    first = {spec.id for spec in planned().trials if spec.objective is None}
    other = planned(
        losses=("mae",), shared=Shared(ModelSpec(hidden=(99, 9), code=2, activation="tanh"), TrainingSpec(epochs=9))
    )
    assert first == {spec.id for spec in other.trials if spec.objective is None}


def test_more_repeats_keep_the_trials_there_were():
    assert {spec.id for spec in planned(repeats=2).trials} < {spec.id for spec in planned(repeats=3).trials}


def test_what_was_asked_for_is_planned_once():
    names = [Candidate("mse", "linear"), Candidate("bernoulli", "logits")]
    binary = KINDS["binary"](60, 8)
    assert list(planned(binary, losses=("mse", "bernoulli", "mse+linear")).candidates) == names


def test_models_asked_for_are_planned_for_every_loss():
    both = planned(losses=("mse", "mae"), models=("pca_path", "autoencoder"))
    assert {(c.loss, c.model) for c in both.candidates} == {
        (loss, model) for loss in ("mse", "mae") for model in ("autoencoder", "pca_path")
    }
    assert {c.model for c in planned(losses=("mse",)).candidates} == {"autoencoder"}


def test_what_fits_and_is_not_planned_is_listed():
    whole = planned(losses=("mse",))
    fitting, _ = sort_pairs(look(DATA))
    assert len(whole.left_out) == len(fitting) - 1
    assert "mse" not in whole.left_out


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"losses": ("msee",)}, UnknownName, "Did you mean 'mse'"),
        ({"losses": ("mse+relus",)}, UnknownName, "an output activation among"),
        ({"losses": ("poisson",)}, BadInput, "found poisson: poisson needs counts"),
        (
            {"losses": ("poisson", "mse+sigmoid")},
            BadInput,
            r"sigmoid output: it lies in \[0, 1\].*poisson needs counts",
        ),
        ({"losses": ("gaussian+softplus", "poisson+linear")}, BadInput, "poisson alone"),
        ({"losses": ("mse",), "models": ("pca",)}, UnknownName, "a model among"),
    ],
)
def test_what_cannot_be_planned(options, error, part):
    with pytest.raises(error, match=part):
        planned(**options)


def test_simpler_comes_first():
    names = ["mse@pca_path", "cosine", "mse+softplus", "mse", "huber"]
    candidates = {
        "mse": Candidate("mse", "linear"),
        "mse+softplus": Candidate("mse", "softplus"),
        "huber": Candidate("huber", "linear"),
        "cosine": Candidate("cosine", "linear"),
        "mse@pca_path": Candidate("mse", "linear", "pca_path"),
    }
    ordered = sorted(names, key=lambda name: simplicity(candidates[name]))
    assert ordered == ["mse", "mse+softplus", "huber", "cosine", "mse@pca_path"]


# --- the work that is left -----------------------------------------------------------------------------------------


class Recorder:
    """An executor that notes what it ran, and loses what it is told to lose."""

    def __init__(self, lose: str = "") -> None:
        self.ran: list[str] = []
        self.lose = lose

    def run(self, specs: Iterable[TrialSpec], folder: Path, may_start: Callable[[], bool]) -> Iterator[Any]:
        for spec in specs:
            if not may_start():
                return
            self.ran.append(spec.id)
            if spec.key == self.lose:
                yield Lost(spec, "it was struck by lightning")
            else:
                yield from Serial().run([spec], folder, may_start)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return DataFolder.write(DATA, tmp_path / "cache").folder


def test_only_what_is_missing_is_run(tmp_path, folder):
    whole, store = planned(losses=("mse",)), Store(tmp_path / "trials")
    first, second = Recorder(), Recorder()
    complete(whole.trials[:3], folder, store, first, Clock(), lambda: None)
    ticks: list[int] = []
    outcome = complete(whole.trials, folder, store, second, Clock(), lambda: ticks.append(1))
    assert first.ran == [spec.id for spec in whole.trials[:3]]
    assert second.ran == [spec.id for spec in whole.trials[3:]]
    assert len(ticks) == len(whole.trials)
    assert {key: sorted(own) for key, own in outcome.results.items()} == {
        key: [0, 1] for key in ("pca", "mean_profile", "zeros", "mse")
    }
    assert outcome.missing == []


def test_a_damaged_result_is_run_again(tmp_path, folder):
    trials, store = planned(losses=("mse",)).trials[:2], Store(tmp_path / "trials")
    before = complete(trials, folder, store, Recorder(), Clock(), lambda: None)
    (store.path(trials[1]) / "result.json").write_text("{")
    again = Recorder()
    after = complete(trials, folder, store, again, Clock(), lambda: None)
    assert again.ran == [trials[1].id]
    assert [own[0].metrics for own in after.results.values()] == [own[0].metrics for own in before.results.values()]


def test_a_lost_trial_is_missing_with_its_cause_and_the_rest_goes_on(tmp_path, folder):
    trials, store = planned(losses=("mse",)).trials, Store(tmp_path / "trials")
    outcome = complete(trials, folder, store, Recorder(lose="pca"), Clock(), lambda: None)
    assert set(outcome.results) == {"mean_profile", "zeros", "mse"}
    assert [(spec.key, cause) for spec, cause in outcome.missing] == [("pca", "it was struck by lightning")] * 2


def test_a_trial_is_written_whole_or_not_at_all(tmp_path, folder, monkeypatch):
    (spec,) = planned(losses=("mse",)).trials[3:4]
    store = Store(tmp_path / "trials")
    (finished,) = Serial().run([spec], folder, lambda: True)

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("losslens.run.store.np.savez_compressed", full)
        with pytest.raises(OSError, match="no space"):
            store.put(finished.result, finished.weights, finished.arrays)
    assert store.get(spec) is None
    assert not store.path(spec).exists()
    store.put(finished.result, finished.weights, finished.arrays)
    assert store.get(spec) == finished.result
    weights = store.weights(spec)
    assert weights is not None
    assert all(np.array_equal(weights[name], value) for name, value in finished.weights.items())
    assert [path.name for path in store.folder.iterdir()] == [spec.id]


def test_data_are_written_once_and_read_alike(tmp_path):
    import scipy.sparse as sp

    sparse = read(sp.csr_matrix(np.random.default_rng(0).poisson(0.3, size=(30, 5))))
    first = DataFolder.write(sparse, tmp_path)
    times = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    assert DataFolder.write(sparse, tmp_path).folder == first.folder
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")} == times
    assert np.array_equal(np.load(first.folder / "values.npy"), sparse.values.toarray())


def test_sparse_data_too_large_to_be_dense_stay_sparse(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr("losslens.run.prepared.DENSE_LIMIT", 0)
    counts = np.random.default_rng(0).poisson(0.4, size=(40, 6)).astype(np.float32)
    import scipy.sparse as sp

    data = {name: read(form(counts)) for name, form in (("sparse", sp.csr_matrix), ("dense", np.asarray))}
    spec = planned(data["sparse"], losses=("mse",)).trials[0]
    batches = {}
    for name, profiles in data.items():
        prepared = DataFolder.write(profiles, tmp_path / name).prepare(spec.split, spec.transform)
        assert sp.issparse(prepared.profiles.matrix) == (name == "sparse")
        batches[name] = prepared.batches(True, "cpu")(torch.arange(0, 40, 3))
    for ours, theirs in zip(batches["sparse"], batches["dense"], strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
