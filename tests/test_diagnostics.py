"""Diagnostics: each finds its fault and keeps quiet without it, and watching a training changes nothing of it."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import small_methods
from tests.planted_trainings import CASES, dead, trial, watched
from tests.small_runs import tiny
from torch import Tensor, nn

import losslens
from losslens.faces.progress import Quiet, Told
from losslens.measure.diagnostics import DIAGNOSTICS, DiagnosticEntry, Reading, Readings, judged
from losslens.measure.findings import Finding
from losslens.models.methods import METHODS
from losslens.run.changed import changed
from losslens.run.executors import Serial
from losslens.run.listening import listening
from losslens.run.spec import TrialResult, TrialSpec
from losslens.run.trial import one_thread
from losslens.vocabulary.errors import BadInput

SEEDS, ENOUGH = range(20), 19


@cache
def _readings(make: Callable[[int], Readings], seed: int) -> Readings:
    with one_thread():  # more would only wait for each other
        return make(seed)


def _right(entry: DiagnosticEntry) -> tuple[int, int]:
    """How many trainings with the fault it calls to act on, and how many without it fine, or has nothing to say of."""
    case = CASES[entry.name]
    seen = [entry.see(_readings(case.planted, seed)) for seed in SEEDS]
    quiet = [entry.see(_readings(case.healthy, seed)) for seed in SEEDS]
    acts = sum(one is not None and entry.verdict(one.value) == "act" for one in seen)
    return acts, sum(one is not None and entry.verdict(one.value) == "fine" for one in quiet)


def test_every_diagnostic_has_a_planted_and_a_healthy_training() -> None:
    assert list(CASES) == list(DIAGNOSTICS)


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_the_fault_is_found_and_health_is_not_faulted(name: str) -> None:
    planted, healthy = _right(DIAGNOSTICS[name])
    assert planted >= ENOUGH, f"{planted} of {len(SEEDS)} faults found"
    assert healthy >= ENOUGH, f"{healthy} of {len(SEEDS)} healthy ones left in peace"


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_a_threshold_the_wrong_way_round_would_be_noticed(name: str) -> None:
    entry = DIAGNOSTICS[name]
    flipped = replace(entry, watch=entry.act, act=entry.watch)
    assert min(_right(flipped)) < ENOUGH


# --- findings --------------------------------------------------------------------------------------------------------


def test_findings_come_pressing_first_and_fine_ones_without_words() -> None:
    found = judged(_readings(CASES["dead_units"].planted, 0))
    assert {one.verdict for one in found} == {"act", "fine"}
    assert [one.verdict for one in found] == sorted(one.verdict for one in found)
    assert all(bool(one.reason) == bool(one.remedy) == (one.verdict == "act") for one in found)
    assert all(Finding.model_validate_json(one.model_dump_json()) == one for one in found)


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_a_remedy_is_a_trial_that_can_be_run(name: str) -> None:
    """Paths lead to fields of the spec, and what comes out is another valid trial."""
    spec = trial(objective={"link": "sigmoid"}, activation="tanh")
    plain = spec.model_dump(mode="json")
    change = DIAGNOSTICS[name].change(spec)
    for path, value in change.items():
        *parts, last = path.split(".")
        place: Any = plain
        for part in parts:
            place = place[part]
        assert last in place
        place[last] = value
    assert (TrialSpec.model_validate(plain).id != spec.id) == (change != {} and name != "posterior_collapse")


@pytest.mark.parametrize("name", ["simsiam", "moco_v2"])
def test_remedies_of_methods_are_trials_that_can_be_run(name: str) -> None:
    plain = small_methods.trial(name, small_methods.planted(60), weight_decay=0.0)
    recommended = METHODS[name].cut or 3.0
    fading, growing = (DIAGNOSTICS[each] for each in ("cosine_gradient_fading", "norm_growth"))
    cut = changed(plain, fading.change(plain))
    assert cut.method is not None
    assert cut.method.cut == recommended
    assert fading.change(cut) == growing.change(plain) == {"training.weight_decay": 5e-4}
    decayed = changed(cut, growing.change(cut))
    assert growing.change(decayed) == {"training.weight_decay": 5e-3}
    for entry in ("dead_units", "learning_rate_too_high"):
        slower = changed(plain, DIAGNOSTICS[entry].change(plain)).training
        assert slower is not None
        assert plain.training is not None
        assert slower.learning_rates[0] == pytest.approx(plain.training.learning_rates[0] / 5)
    assert not fading.change(trial())


def test_the_remedy_of_a_collapsed_posterior_weakens_the_divergence() -> None:
    terms = {"terms": [{"loss": "kl_standard_normal", "weight": 5.0}]}
    (term,) = DIAGNOSTICS["posterior_collapse"].change(trial(objective=terms, variational=True))["objective.terms"]
    assert (term["loss"], term["weight"]) == ("kl_standard_normal", 0.5)


def test_a_finding_says_when_it_arose() -> None:
    """Dead from the third reading on; dead once before and alive again does not count."""
    shares = [1.0, 0.0, 1.0, 1.0]
    looks = (Reading(at, silent={"layer": np.full(4, share)}) for at, share in enumerate(shares, 1))
    (found,) = judged(Readings(tuple(looks)))
    assert (found.name, found.verdict, found.epoch, found.where) == ("dead_units", "act", 3, "layer")


def test_an_objective_that_warms_up_is_no_training_that_gets_worse() -> None:
    rising = Readings(start=0.18, train=(0.10, 0.12, 0.14, 0.13, 0.12, 0.12))
    entry = DIAGNOSTICS["learning_rate_too_high"]
    values = [entry.see(replace(rising, warm_up=epochs)) for epochs in (0, 3)]
    assert values[0] is not None
    assert values[1] is not None
    assert (values[0].value > 0.1, values[1].value) == (True, 0.0)


def test_a_training_part_that_is_harder_than_the_other_is_no_rise() -> None:
    """Before the first step only the validation part was measured."""
    train = (1.04, 1.03, 1.02, 1.00)
    entry = DIAGNOSTICS["learning_rate_too_high"]
    slow = entry.see(Readings(start=0.74, train=train, valid=(0.73, 0.72, 0.71, 0.70)))
    wild = entry.see(Readings(start=0.74, train=train, valid=(1.03, 1.02, 1.01, 1.00)))
    assert slow is not None
    assert wild is not None
    assert (entry.verdict(slow.value), entry.verdict(wild.value)) == ("fine", "act")


def test_an_output_that_hardly_varies_is_not_called_narrow() -> None:
    target = np.random.default_rng(0).normal(size=(40, 5))
    looks = (Reading(at, output=0.01 * target, target=target) for at in (3, 5))
    assert {one.name for one in judged(Readings(tuple(looks)))} == {"constant_output", "norm_ratio"}


def test_what_stopped_being_finite_is_a_finding_in_the_result(tmp_path: Path) -> None:
    tiny(np.random.default_rng(0).normal(size=(60, 8)), tmp_path, losses=["mse"], learning_rates=[1e20], repeats=1)
    (result,) = (one for one in _results(tmp_path) if one.status == "diverged")
    assert result.findings[0].name == "learning_rate_too_high"
    assert result.findings[0].change == {"training.learning_rates": [0.2 * 1e20]}


def test_trials_keep_what_was_looked_at(tmp_path: Path) -> None:
    tiny(np.random.default_rng(0).normal(size=(60, 8)), tmp_path, repeats=1)
    trained = [one for one in _results(tmp_path) if one.fits]
    assert len(trained) == 2
    assert all({"dead_units", "vanishing_gradients"} <= {found.name for found in one.findings} for one in trained)


def _results(folder: Path) -> list[TrialResult]:
    return [TrialResult.model_validate_json(file.read_text()) for file in folder.glob("trials/*/result.json")]


# --- watching changes nothing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "network",
    [{}, {"dropout": 0.5}, {"normalisation": "batch"}, {"variational": True}, {"objective": {"loss": "cosine"}}],
    ids=str,
)
def test_a_watched_training_is_the_same_to_the_last_digit(network: dict[str, Any]) -> None:
    spec = trial(epochs=5, **network)
    trainings = [watched(0, spec)[0] for _ in range(2)]
    trainings[1].watching = None
    with one_thread():
        for training in trainings:
            training.epochs(5)
    assert trainings[0].watching is not None
    assert len(trainings[0].watching.looks) == 5  # before training, and after epochs 1, 2, 3 and 5
    assert trainings[0].train_curve == trainings[1].train_curve
    assert trainings[0].valid_curve == trainings[1].valid_curve
    assert torch.equal(trainings[0].parameters.values, trainings[1].parameters.values)


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 5), nn.Tanh())


def test_a_reading_leaves_a_network_of_ones_own_as_it_was() -> None:
    net, x = _net(), torch.randn(32, 5)
    net[3].eval()
    net(x).sum().backward()
    before = [part.clone() for part in _state(net)]
    losslens.Watch(net).read(1, loss=lambda: (net(x) + torch.rand(32, 5)).square().mean())
    assert all(torch.equal(was, now) for was, now in zip(before, _state(net), strict=True))
    assert [part.training for part in net] == [True, True, True, False, True, True]
    assert not any(part._forward_hooks for part in net)


def _state(net: nn.Module) -> list[Tensor]:
    grads = [part.grad for part in net.parameters() if part.grad is not None]
    return [*net.parameters(), *net.buffers(), *grads, torch.get_rng_state()]


def test_readings_are_what_autograd_and_the_layers_give() -> None:
    net, x = _net().eval(), torch.randn(32, 5)
    watch = losslens.Watch(net)
    watch.read(2, loss=lambda: net(x).square().mean(), output=net(x), target=x)
    net(x).square().mean().backward()
    (look,) = watch.looks
    first = net[0].weight.grad.square().mean().sqrt()
    assert look.gradients["0.weight"] == pytest.approx(float(first), rel=1e-5)
    hidden = net[1](net[0](x))
    np.testing.assert_allclose(look.silent["2"], (hidden <= 0).float().mean(0))
    np.testing.assert_allclose(look.saturated["5"], (net(x).abs() > 0.98).float().mean(0))
    np.testing.assert_array_equal(look.output, net(x).detach())


def test_channels_are_the_units_of_a_convolution() -> None:
    net, x = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU()), torch.randn(4, 1, 6, 6)
    with losslens.Watch(net).layers.seen() as seen:
        gave = net(x)
    np.testing.assert_allclose(seen["silent"]["1"], (gave == 0).float().mean((0, 2, 3)), rtol=1e-6)


def test_a_watch_that_was_given_nothing_says_nothing() -> None:
    watch = losslens.Watch(nn.Linear(2, 2))
    watch.read(1)
    assert watch.findings() == ()


# --- live ------------------------------------------------------------------------------------------------------------


def test_what_arises_is_told_once_and_only_when_it_stays() -> None:
    heard: list[Finding] = []
    watch = losslens.Watch(nn.Linear(2, 2), lr=0.1, say=heard.append)
    far, near = 1e4 * torch.eye(4), torch.eye(4).roll(1, 0)
    for epoch, embedding in enumerate([far, near, far, far, far]):
        watch.read(epoch, embedding=embedding, partner=near + 0.1)
    assert [(one.name, one.epoch) for one in heard if one.name == "cosine_gradient_fading"] == [
        ("cosine_gradient_fading", 2)
    ]


class _Ears(Quiet):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, text: str) -> None:
        self.heard.append(text)


def test_a_row_is_told_of_once_however_many_repeats_show_it() -> None:
    ears = _Ears()
    told, (found, *_) = Told(ears), judged(_readings(CASES["dead_units"].planted, 0))
    for _ in range(2):
        told(trial(), found)
    told(trial(objective={"loss": "mae"}), found)
    assert [text.split(":")[0] for text in ears.heard] == ["mse", "mae"]
    assert all("\n" not in text for text in ears.heard)


class _Elsewhere(Serial):
    """As in another process: whoever listens here is not heard of there."""

    def run(self, *arguments: Any) -> Iterator[Any]:
        yield from contextvars.Context().run(list, super().run(*arguments))


@pytest.mark.parametrize("executor", [Serial, _Elsewhere])
def test_a_comparison_tells_in_one_process_and_with_workers(
    tmp_path: Path, executor: type[Serial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("losslens.faces.compare.executor_of", lambda workers: executor())
    ears = _Ears()
    data = np.random.default_rng(0).normal(size=(60, 8))
    options: dict[str, Any] = {"losses": ["mse"], "learning_rates": [5.0], "epochs": 6}
    tiny(data, tmp_path, progress=ears, **options)
    assert next(text for text in ears.heard if "Learning rate too high" in text).startswith("mse: ")
    assert len(ears.heard) == len({text.split(":")[1] for text in ears.heard})


def test_in_one_process_it_is_told_before_the_training_ends() -> None:
    heard: list[int] = []
    training, watching = watched(0, trial(epochs=8), dead)
    with listening(lambda spec, finding: heard.append(len(training.train_curve))):
        watching.speak()
        training.epochs(8)
    assert heard
    assert max(heard) < 8


# --- mistakes with a watch of one's own ----------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [torch.zeros(2, 3), 1.5, -1, "one"])
def test_the_first_argument_of_a_reading_is_an_epoch(epoch):
    with pytest.raises(BadInput, match="the number of the epoch"):
        losslens.Watch(nn.Linear(3, 2)).read(epoch)


@pytest.mark.parametrize("loss", [0.3, torch.zeros(()), torch.zeros(3, requires_grad=True)])
def test_a_loss_that_has_no_gradient_is_refused_with_where_numbers_go(loss):
    watch = losslens.Watch(nn.Linear(3, 2))
    with pytest.raises(BadInput, match="train_loss and valid_loss"):
        watch.read(1, loss=loss)
    assert watch.looks == []


def test_what_is_no_model_cannot_be_watched():
    with pytest.raises(BadInput, match="to watch, found NoneType"):
        losslens.Watch(None)


def test_arrays_are_read_as_tensors_are():
    rows = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    watches = [losslens.Watch(nn.Linear(3, 2)) for _ in range(2)]
    watches[0].read(np.int64(1), embedding=rows)
    watches[1].read(1, embedding=torch.from_numpy(rows))
    assert np.array_equal(watches[0].looks[0].embedding, watches[1].looks[0].embedding)
