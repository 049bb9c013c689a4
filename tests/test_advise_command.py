"""The command ``advise``: what it prints, its JSON, and what it says of mistakes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.small_runs import call, run
from tests.test_cli import HEAVY, imported

from losslens.losses import LOSSES
from losslens.measure.concentration import COUNTER_EVIDENCE
from losslens.run.rules import RULES


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def digits():
    ended = call("advise", "digits")
    assert (ended.status, ended.err) == (0, "")
    return ended.out


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sparse file with counts in a layer, and their logarithm in its place of honour."""
    generator = np.random.default_rng(0)
    counts = sp.csr_matrix(generator.negative_binomial(1, 0.2, size=(80, 400)) * (generator.random((80, 400)) < 0.2))
    table = anndata.AnnData(
        X=counts.astype(np.float32).log1p(),
        obs=pd.DataFrame({"kind of cell": ["a", "b"] * 40}, index=[f"cell {i}" for i in range(80)]),
        layers={"counts": counts.astype(np.float32)},
    )
    path = tmp_path_factory.mktemp("advise") / "cells.h5ad"
    table.write_h5ad(path)
    return path


def test_every_part_is_printed(digits):
    said = flat(digits)
    for part in (
        "digits: 1,797 samples × 64 features, [0, 1]",
        "What to minimise, in no order of merit",
        "Asks for the mean; blind to nothing.",
        "Rather not if",
        "Activations",
        "Mistakes that such data invite",
        "0.215 nats per value",
        "How distances concentrate in these data",
        "against L2",
        "Measure it",
        "rules of thumb",
        COUNTER_EVIDENCE,
    ):
        assert part in said
    assert digits.rstrip().splitlines()[-1] == (
        "losslens compare digits --loss continuous_bernoulli --loss mse+sigmoid"
    )


def test_reasons_are_those_of_the_rules(digits):
    for rule in RULES:
        assert (rule.reason in flat(digits)) == ("[0, 1]" in rule.data)


def test_a_terminal_without_our_characters_gets_plain_ones(cells, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = run("advise", cells)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.isascii()
    assert "80 samples x 400 features" in ended.out


def test_the_json_holds_what_is_printed_and_can_be_read(cells):
    given = ("advise", cells, "--layer", "counts", "--label", "kind of cell", "--goal", "likelihood", "--json")
    ended = call(*given)
    assert ended.status == 0
    found = json.loads(ended.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found["kind"] == "raw counts"
    assert (found["goal"]["name"], found["goal"]["inferred"]) == ("likelihood", False)
    assert found["losses"][0]["loss"] == "negative_binomial"
    assert all(each["loss"] in LOSSES and each["because"] for each in found["losses"])
    assert [each["exponent"] for each in found["contrast"]["contrasts"]] == [0.1, 0.5, 1.0, 2.0, 4.0, "inf"]
    assert found["contrast"]["contrasts"][0]["agreement"].keys() == {"mean", "low", "high"}
    assert found["counter-evidence"] == COUNTER_EVIDENCE
    assert 0 < found["zeros"]["observed"] < 1
    assert found["command"].startswith(
        f"losslens compare {cells} --label 'kind of cell' --layer counts --goal likelihood --loss negative_binomial"
    )


def test_the_command_that_is_printed_runs(cells, tmp_path):
    command = json.loads(call("advise", cells, "--json").out)["command"]
    quick = shlex.split("--repeats 2 --epochs 1 --code 2 --hidden 4 --lr 1e-3 --workers 0 --json")
    ended = call(*shlex.split(command)[1:], *quick, "--out", tmp_path / "out")
    assert ended.status == 0, ended.err
    asked = {word for word in shlex.split(command) if word.split("+")[0] in LOSSES}
    rows = {row["key"] for row in json.loads(ended.out)["rows"]}
    assert {name.removesuffix("+linear") for name in asked} <= rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("advise", "pancraes"), "Did you mean 'pancreas'"),
        (("advise", "digits", "--goal", "magnitud"), "Did you mean 'magnitude'"),
        (("advise", "digits", "--kind", "binry"), "Did you mean 'binary'"),
        (("advise", "digits", "--kind", "binary"), "declared 'binary'"),
        (("advise", "digits", "--label", "digti"), "the column name 'digti'"),
    ],
)
def test_mistakes_end_with_status_2_and_say_what_to_do(arguments, message):
    ended = call(*arguments)
    assert ended.status == 2
    assert ended.out == ""
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_help_is_quick():
    assert not imported("advise", "--help") & HEAVY
