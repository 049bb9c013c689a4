"""The pages of the catalogue in the terminal and as data, and lists by facts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.contract_pages import slopes_are_those_of_the_values
from tests.small_runs import call

from losslens.activations import ACTIVATIONS
from losslens.faces.pages.page import page
from losslens.faces.pages.terminal import drawn
from losslens.losses import LOSSES


@pytest.mark.parametrize("name", [*LOSSES, *ACTIVATIONS])
def test_every_member_has_a_page(name):
    found = page(name)
    assert found.name == name
    assert found.summary.endswith(".")
    assert found.formula
    assert found.example.startswith(">>> ")
    assert len(found.facts) >= 6
    if found.kind == "activation":
        assert found.example == ACTIVATIONS[name].example  # which a fact of every activation runs
    else:
        assert found.facts["source"] == LOSSES[name].reference
    assert found.use
    assert found.failure
    assert max(map(len, drawn(found.curves[0]).split("\n"))) < 80, "bars do not fit a terminal"


@pytest.mark.parametrize("name", ["mse", "huber", "student_t", "quantile"])
def test_the_curve_is_that_of_the_loss(name):
    [curves] = page(name).curves
    [line] = curves.lines
    assert (curves.x, curves.low, curves.high) == ("output - target", -3.0, 3.0)
    at = torch.linspace(-3.0, 3.0, len(line.values), dtype=torch.float64)
    settings = {name: torch.tensor(fact.initial).double() for name, fact in LOSSES[name].parameters.items()}
    values = LOSSES[name].function(at, torch.zeros_like(at), reduction="none", **settings)
    torch.testing.assert_close(torch.tensor(line.values).double(), values, rtol=5.1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_its_curve_and_slopes(name):
    [curves] = page(name).curves
    [line] = curves.lines
    assert len(set(line.values)) > 20
    slopes_are_those_of_the_values(curves, line)
    assert all(curves.low < kink < curves.high for kink in ACTIVATIONS[name].kinks)


def test_wrong_slopes_of_an_activation_would_be_noticed():
    [curves] = page("tanh").curves
    [line] = curves.lines
    with pytest.raises(AssertionError, match="the slope there is"):
        slopes_are_those_of_the_values(curves, replace(line, slopes=line.values))


@pytest.mark.parametrize("entry", [entry for entry in LOSSES.values() if "profile" in entry.family.name])
def test_a_loss_blind_to_scale_is_flat_in_the_norm_of_the_output(entry):
    _, sizes = page(entry.name).curves
    flat = [max(line.values) - min(line.values) < 1e-9 for line in sizes.lines]
    assert len(flat) == 3
    assert all(flat) == entry.scale_invariant


def test_a_loss_of_ones_own_has_a_page(tmp_path, monkeypatch):
    """Its docstring may be none, and hold formulas that cannot be read; it is drawn along a mixture of profiles."""
    (tmp_path / "own_page.py").write_text(OWN, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("bare", "told"):
        shown = call("show", f"own_page:{name}", "--html", "own.html")
        assert shown.status == 0, shown.err
        assert "share of another profile" in (tmp_path / "own.html").read_text("utf-8")
        assert "█" in call("show", f"own_page:{name}").out
        LOSSES.remove(f"own_page:{name}")
    assert "<code>x^</code>" in (tmp_path / "own.html").read_text("utf-8")


OWN = '''
def bare(output, target):
    return (output - target).square().mean(1)


def told(output, target):
    r"""A loss <b>told</b> & drawn.

    .. math:: x^

    As :attr:`of` :math:`x < y`.
    """
    return (output - target).abs()
'''


def test_the_terminal_shows_formula_facts_and_curves():
    shown = call("show", "quantile")
    assert shown.status == 0
    for text in (
        r"\max\bigl(",
        "Koenker and Bassett",
        "level = 0.9 in [0.01, 0.99]",
        "slope",
        "█",
        "losslens.quantile(",
        LOSSES["quantile"].use,
        LOSSES["quantile"].failure,
    ):
        assert text in shown.out
    assert "blind to" in call("show", "cosine").out
    assert json.loads(call("show", "selu", "--json").out)["facts"]["zero-centred"] == "yes"
    assert ACTIVATIONS["selu"].example in call("show", "selu").out
    counts = call("show", "poisson").out
    for line in ("target 0  value", "target 1  value", "target 5  value"):
        assert line in counts
    assert "; output is the rate." in counts
    assert "usually vary more: negative_binomial." in counts


def test_a_wrong_name_is_answered_with_the_nearest():
    shown = call("show", "hubber")
    assert shown.status == 2
    assert "Did you mean 'huber'" in shown.err


def names(*arguments):
    found = call("list", *arguments, "--json")
    assert found.status == 0, found.err
    return [record["name"] for record in json.loads(found.out)]


def test_lists_are_filtered_by_facts():
    counts = ["poisson", "negative_binomial", "zero_inflated_poisson", "zero_inflated_negative_binomial"]
    assert names("losses", "--domain", "counts") == counts
    assert {"mae", "laplace"} <= set(names("losses", "--elicits", "median"))
    blind = [entry.name for entry in LOSSES.values() if entry.scale_invariant]
    assert names("losses", "--scale-invariant") == blind
    assert set(names("losses", "--not-scale-invariant")) == set(LOSSES) - set(blind)
    assert names("losses", "--family", "triplet") == ["triplet_margin"]
    assert names("activations", "--bounded", "--zero-centred") == [
        entry.name for entry in ACTIVATIONS.values() if entry.bounded and entry.zero_centred
    ]


def test_filters_that_do_not_apply_or_leave_nothing_are_answered():
    wrong = call("list", "activations", "--elicits", "mean")
    assert wrong.status == 2
    assert "--elicits" in wrong.err
    assert (
        "Nothing has all of that" in call("list", "losses", "--domain", "counts", "--convex", "--shift-invariant").out
    )


def test_the_documents_count_the_members_right():
    root = Path(__file__).parent.parent
    families = len({entry.family.name for entry in LOSSES.values()})
    changes = " ".join((root / "CHANGELOG.md").read_text("utf-8").split())
    assert f"{len(LOSSES)} losses in {families} families and {len(ACTIVATIONS)} activations" in changes
    assert f"Any of the {len(LOSSES)} losses" in (root / "README.md").read_text("utf-8")
