"""Diagnostics of self-supervised methods: faults are found in real trainings, which watching leaves as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.small_methods import planted, prepared, training, trial
from tests.small_runs import call, tiny
from torch import Tensor

import losslens
from losslens.faces.progress import Quiet
from losslens.losses.profile import unit
from losslens.measure.diagnostics.readings import Reading
from losslens.models.siamese import SiameseNetwork
from losslens.models.threads import one_thread
from losslens.run.listening import listening
from losslens.run.siamese import Pretraining
from losslens.run.watching import Watching, packed, unpacked

DATA = planted(160)
SMALL = {"epochs": 3, "code": 4, "hidden": [16], "head": 8, "batch": 32}
LONG = 100.0


def lengthened(network: SiameseNetwork) -> None:
    """Embeddings that start far too long, as weights of a careless initialisation make them."""
    last = [layer for layer in network.projector if isinstance(layer, torch.nn.Linear)][-1]
    with torch.no_grad():
        for part in last.parameters():
            part.mul_(LONG)


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with one_thread():  # more would only wait for each other
        yield


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks without a cut start with long embeddings: a cut is then what it is meant to be, the remedy."""
    original = SiameseNetwork.__init__

    def start(network: SiameseNetwork, model: object, spec: object, features: int) -> None:
        original(network, model, spec, features)
        if spec.cut == 1.0:
            lengthened(network)

    monkeypatch.setattr(SiameseNetwork, "__init__", start)


def verdicts(own: Pretraining) -> dict[str, str]:
    return {finding.name: finding.verdict for finding in own.result().findings}


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["simclr", "moco_v2"])
def test_a_cosine_gradient_that_fades_is_found_and_told_of(name, tmp_path, long):
    own, heard = training(name, DATA, tmp_path, epochs=5), []
    with listening(lambda spec, finding: heard.append((own.epoch, finding.name))):
        own.run()
    (found,) = [each for each in own.result().findings if each.name == "cosine_gradient_fading"]
    assert (found.verdict, found.epoch) == ("act", 0)
    assert found.change == {"method.cut": 3.0, "method.cut_form": "last"}
    assert (1, "cosine_gradient_fading") in heard


@pytest.mark.parametrize("name", ["simclr", "simsiam", "moco_v2", "vicreg", "dino"])
def test_a_healthy_training_is_left_in_peace(name, tmp_path):
    own, heard = training(name, DATA, tmp_path, epochs=5), []
    with listening(lambda spec, finding: heard.append(finding.name)):
        own.run()
    assert heard == []
    assert "act" not in verdicts(own).values()
    assert verdicts(own)["vanishing_gradients"] == "fine"
    assert ("cosine_gradient_fading" in verdicts(own)) == (name in ("simclr", "simsiam", "moco_v2"))


def test_growth_after_a_cut_is_no_fault(tmp_path):
    own = training("simsiam", DATA, tmp_path, epochs=8, cut=9.0)
    own.run()
    norms = own.course["norm"]
    assert norms[-1] > 10 * norms[0]  # by itself it would call to act
    assert verdicts(own)["norm_growth"] != "act"


# --- readings --------------------------------------------------------------------------------------------------------


def test_a_reading_is_the_probe_through_the_network_as_it_trains(tmp_path):
    own = training("byol", DATA, tmp_path, epochs=2)
    own.one_epoch()
    grad = own.network.projector[0].weight.grad
    own.record(1.0)
    look = own.watching.looks[-1]
    state = {name: part.clone() for name, part in own.network.state_dict().items()}
    named = own.network.train()(own.probe.first[:64], own.probe.second[:64])
    own.network.load_state_dict(state)
    np.testing.assert_allclose(look.embedding, named["p1"].detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(look.partner, named["t2"], rtol=1e-5, atol=1e-6)
    assert look.code.shape == (len(look.embedding), 16)
    assert look.gradients["projector.0.weight"] == pytest.approx(float(grad.square().mean().sqrt()), rel=1e-5)
    assert set(look.silent) == {"encoder.backbone.2", "projector.2", "predictor.2"}


def test_the_partner_of_an_embedding_is_the_other_view_of_its_sample(tmp_path):
    own = training("simclr", DATA, tmp_path, epochs=4)
    own.run()
    look = own.watching.looks[-1]
    one, other = unit(torch.from_numpy(look.embedding)), unit(torch.from_numpy(look.partner))
    cosines: Tensor = one @ other.T
    assert cosines.diag().mean() > cosines.mean() + 0.3


def test_a_watched_pretraining_is_the_same_to_the_last_digit(tmp_path, monkeypatch):
    """Compared with one that takes no reading at all; dropout draws random numbers wherever a network is called."""
    spec = trial("simsiam", DATA, epochs=3)
    spec = spec.model_copy(update={"model": spec.model.model_copy(update={"dropout": 0.5})})
    watched = Pretraining(spec, prepared(DATA, tmp_path, spec), seed=7)
    watched.run()
    monkeypatch.setattr(Watching, "read", lambda self: self.looks.append(Reading(self.reader.epoch)))
    blind = Pretraining(spec, prepared(DATA, tmp_path, spec), seed=7)
    blind.run()
    assert watched.course == blind.course
    for one, other in zip(watched.network.state_dict().values(), blind.network.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_readings_survive_being_packed():
    random = np.random.default_rng(0)
    shares = {"b/2": random.random(3), "a": random.random(2)}  # layers out of alphabetical order
    looks = [
        Reading(0, code=random.random((4, 2)), silent=shares),
        Reading(3, embedding=random.random((4, 2)), partner=random.random((4, 2)), gradients={"z": 0.1, "a": 1 / 3}),
    ]
    about, arrays = packed(looks)
    again = unpacked(json.loads(json.dumps(about)), arrays)
    assert repr(again) == repr(looks)
    assert list(again[1].gradients) == ["z", "a"]


# --- faces -----------------------------------------------------------------------------------------------------------


class Ears(Quiet):
    """Remembers what is said."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, text: str) -> None:
        self.heard.append(text)


def remedied(folder: Path, row: str) -> dict[str, object]:
    """What came of trying the remedy of the fading gradient in a row."""
    options = ["--row", row, "--finding", "cosine_gradient_fading", "--workers", "0", "--json"]
    ended = call("diagnose", folder, "--try", *options)
    assert ended.status == 0, ended.err
    (attempt,) = json.loads(ended.out)["attempts"]
    assert attempt["change"] == {"method.cut": 3.0, "method.cut_form": "last"}
    assert attempt["was"] == {"method.cut": 1.0, "method.cut_form": "all"}
    return attempt["answered"][0]


def test_a_pretraining_tells_shows_and_tries(tmp_path, long):
    table = tmp_path / "cells.csv"
    names = ",".join(f"gene{i}" for i in range(DATA.shape[1]))
    np.savetxt(table, DATA.values, delimiter=",", header=names, comments="")
    ears, out = Ears(), tmp_path / "out"
    found = losslens.pretrain(table, method="simclr", out=out, progress=ears, **SMALL)
    row = found.document.row(found.recommended)
    assert [line for line in ears.heard if line.startswith(f"{row.key}: Cosine gradient fading")]
    assert "Cosine gradient fading" in {each.title for each in row.findings if each.verdict == "act"}
    assert "Cosine gradient fading" in (out / "report.html").read_text(encoding="utf-8")
    assert "Cosine gradient fading" in call("diagnose", out).out
    answered = remedied(out, row.key)
    assert (answered["before"], answered["gone"]) == (1, True)


def test_a_comparison_of_methods_tries_remedies(tmp_path, long):
    table, out = tmp_path / "cells.npy", tmp_path / "out"
    np.save(table, DATA.values)
    tiny(table, out, losses=(), methods=["simclr"], batch=32)
    answered = remedied(out, "simclr/cut=1/wd=1e-06")
    assert (answered["before"], answered["looked"], answered["gone"]) == (2, 2, True)
