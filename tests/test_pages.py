"""The pages of the catalogue in the terminal and as data, and lists by facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.small_runs import call

from losslens.activations import ACTIVATIONS
from losslens.faces.pages.page import page
from losslens.losses import LOSSES


@pytest.mark.parametrize("name", [*LOSSES, *ACTIVATIONS])
def test_every_member_has_a_page(name):
    found = page(name)
    assert found.name == name
    assert found.summary.endswith(".")
    assert found.formula
    assert found.example.startswith(">>> ")
    assert len(found.facts) >= 6
    assert found.kind == "activation" or found.facts["source"] == LOSSES[name].reference


@pytest.mark.parametrize("name", ["mse", "huber", "student_t", "quantile"])
def test_the_curve_is_that_of_the_loss(name):
    curve = page(name).curve
    assert curve is not None
    assert len(curve.values) == len(curve.slopes) == 61
    assert curve.values[30] == min(curve.values)
    assert curve.slopes[40] > 0.0 > curve.slopes[20]
    step = (curve.values[46] - curve.values[44]) / 0.2
    assert step == pytest.approx(curve.slopes[45], rel=0.02)


def test_the_terminal_shows_formula_facts_and_curve():
    shown = call("show", "quantile")
    assert shown.status == 0
    for text in (
        r"\max\bigl(",
        "Koenker and Bassett",
        "level = 0.9 in [0.01, 0.99]",
        "slope",
        "█",
        "losslens.quantile(",
    ):
        assert text in shown.out
    assert "blind to" in call("show", "cosine").out
    assert json.loads(call("show", "selu", "--json").out)["facts"]["zero-centred"] == "yes"


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
