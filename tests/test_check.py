"""The examination of any loss, and losses of the user's own in a comparison."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.small_runs import run
from torch.nn import functional

from losslens.faces.check import check
from losslens.losses import LOSSES
from losslens.losses.examination import QUESTIONS, examine
from losslens.losses.imported import find
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain

MODULE = """
import torch
from torch import nn

calls = []

def sharp(output, target):
    return (output - target).abs() ** 1.5

def shape(output, target):
    return 1.0 - torch.nn.functional.cosine_similarity(output, target)

def whole(output, target):
    return (output - target).square().mean()

class Half(nn.Module):
    def forward(self, output, target):
        return (output - target).square() / 2

class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, output, target):
        return self.scale * (output - target).abs()

def one_argument(output):
    return output

def number(output, target):
    return 1.0

def too_small(output, target):
    return (output - target).abs()[:2]

LIMIT = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_losses.py").write_text(MODULE, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("own_losses", None)
    for name in [name for name in LOSSES if ":" in name]:
        LOSSES.remove(name)


def verdicts(loss):
    return {finding.question: finding.verdict for finding in examine(loss)}


FINITE, LEAST, LEADS, DERIVATIVE, PULLS, STRONG, SIZE, MANNERS, SHAPES, COMPILES = QUESTIONS


def divided_by_norms(output, target):
    return 1.0 - (output * target).sum(1) / (output.norm(dim=1) * target.norm(dim=1))


def half_detached(output, target):
    return (output - target) * (output - target).detach()


def writes(output, target):
    output.clamp_(-1.0, 1.0)
    return (output - target).square()


def branches(output, target):
    return (output - target).square() if float(target.sum()) > -1e9 else output


def numbers(output, target):
    return torch.from_numpy((output - target).detach().numpy()) ** 2 + 0.0 * output


PLANTED = [
    (divided_by_norms, FINITE, "act"),
    (lambda o, t: (o - t).mean(), LEAST, "act"),
    (lambda o, t: -(o - t).square(), LEAST, "act"),
    (lambda o, t: functional.binary_cross_entropy_with_logits(o, t, reduction="none"), LEAST, "act"),
    (lambda o, t: ((o - t).abs() - 1.0).clamp_min(0.0).sum(1), LEAST, "watch"),
    (divided_by_norms, LEADS, "watch"),
    (half_detached, DERIVATIVE, "act"),
    (numbers, DERIVATIVE, "act"),
    (lambda o, t: torch.tanh(((o - t) ** 2).sum(1)), PULLS, "watch"),
    (lambda o, t: (o - t).square().sum(), STRONG, "watch"),
    (lambda o, t: 1e-4 * (o - t).square(), STRONG, "watch"),
    (divided_by_norms, SIZE, "watch"),
    (lambda o, t: ((o - o.mean(1, True)) - (t - t.mean(1, True))).square(), SIZE, "watch"),
    (writes, PULLS, "act"),
    (writes, MANNERS, "watch"),
    (lambda o, t: (o - t).square().sum(), MANNERS, "watch"),
    (lambda o, t: ((o - o.mean(0)) - t).square(), MANNERS, "watch"),
    (lambda o, t: (o - t).square().double(), MANNERS, "watch"),
    (lambda o, t: (o - t).square() * torch.rand(()), MANNERS, "watch"),
    (branches, COMPILES, "watch"),
    (lambda o, t: (o - t).square() * (2.0 if torch.compiler.is_compiling() else 1.0), COMPILES, "act"),
]


@pytest.mark.parametrize(("loss", "question", "verdict"), PLANTED)
def test_a_planted_fault_is_found(loss, question, verdict):
    assert verdicts(loss)[question] == verdict


def test_every_question_but_that_of_shapes_has_a_planted_fault():
    assert {question for _, question, _ in PLANTED} == set(QUESTIONS) - {SHAPES}


@pytest.mark.parametrize("loss", [functional.mse_loss, functional.l1_loss, functional.huber_loss])
def test_nothing_is_said_against_a_sound_loss(loss):
    assert set(verdicts(loss).values()) == {"fine"}


PLAIN = [
    e for e in LOSSES.values() if e.reconstructs and e.domain is Domain.REAL and not e.parameters and e.link is None
]


@pytest.mark.parametrize("entry", PLAIN, ids=lambda entry: entry.name)
def test_the_catalogue_passes_its_own_examination(entry):
    found = check(entry.name)
    assert found.ok, [finding for finding in found.findings if finding.verdict == "act"]
    blind = {f.question: f.verdict for f in found.findings}[SIZE] == "watch"
    assert blind == (entry.scale_invariant or entry.shift_invariant)


@pytest.mark.parametrize(
    ("name", "gives", "blind"),
    [("sharp", "element", False), ("shape", "sample", True), ("whole", "batch", False), ("Half", "element", False)],
)
def test_what_a_loss_is_is_measured(own, name, gives, blind):
    entry = find(f"own_losses:{name}")
    assert (entry.family.gives, entry.scale_invariant, entry.shift_invariant) == (gives, blind, False)
    assert entry.reconstructs
    assert not entry.candidate


def test_a_module_of_pytorch_is_not_reduced():
    assert find("torch.nn:HuberLoss").family.gives == "element"
    assert find("torch.nn.functional:mse_loss").family.gives == "element"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("own_losses:nothing", ["module:name", "nothing"]),
        ("no_such_module:loss", ["module:name", "no_such_module"]),
        ("own_losses:LIMIT", ["a function of (output, target)", "int"]),
        ("own_losses:Learned", ["nothing to learn", "1 parameter"]),
        ("own_losses:one_argument", ["to take (output, target)", "TypeError"]),
        ("own_losses:number", ["to give a tensor", "float"]),
        ("own_losses:too_small", ["(4, 5)", "(2, 5)"]),
        ("torch.nn:Linear", ["without arguments", "TypeError"]),
    ],
)
def test_what_is_no_loss_is_refused(own, path, words):
    with pytest.raises(BadInput) as error:
        LOSSES[path]
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_loss_that_needs_other_data_is_not_examined():
    with pytest.raises(BadInput, match="real numbers"):
        check("negative_binomial")


def test_the_command_says_what_it_found(own):
    good, bad = (run("check", f"own_losses:{name}", cwd=own) for name in ("sharp", "nothing"))
    assert good.status == 0, good.err
    assert "To compare it: losslens compare DATA --loss own_losses:sharp" in good.out
    assert bad.status == 2
    assert "Traceback" not in bad.err
    (own / "wrong.py").write_text("def upside_down(output, target):\n    return -(output - target).square()\n", "utf-8")
    wrong = run("check", "wrong:upside_down", "--json", cwd=own)
    assert wrong.status == 1
    assert json.loads(wrong.out)["ok"] is False


def test_a_loss_of_ones_own_is_compared_and_its_model_used(own):
    data = np.random.default_rng(0).normal(size=(60, 6)) @ np.random.default_rng(1).normal(size=(6, 6))
    np.save(own / "data.npy", data)
    arguments = ["--loss", "own_losses:sharp", "--loss", "own_losses:shape", "--loss", "mse", "--repeats", "2"]
    small = ["--epochs", "2", "--lr", "1e-3", "--code", "2", "--hidden", "8", "--out", "run", "--json"]
    first = run("compare", "data.npy", *arguments, *small, cwd=own)
    assert first.status == 0, first.err
    rows = {row["key"] for row in json.loads(first.out)["rows"]}
    assert {"own_losses:sharp", "own_losses:shape", "mse"} <= rows
    trials = list((own / "run" / "trials").iterdir())
    module = own / "own_losses.py"
    module.write_text(module.read_text("utf-8").replace("1.5", "1.2"), "utf-8")
    again = run("compare", "data.npy", *arguments, *small, cwd=own)
    assert again.status == 0, again.err
    assert len(list((own / "run" / "trials").iterdir())) > len(trials)  # an edited loss is another loss
    used = run("transform", "run", "data.npy", "-o", "codes.csv", cwd=own)
    assert used.status == 0, used.err
    assert len(Path(own / "codes.csv").read_text("utf-8").splitlines()) == 61
