"""The command line: fast help, examples, lists, and JSON that a program can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.small_runs import COMMAND, TINY_OPTIONS, call, environment, run

import losslens
from losslens.faces.listing import CATALOGUES
from losslens.report.document import Document

COMMANDS = [
    "compare",
    "inspect",
    "transform",
    "reconstruct",
    "list",
    "show",
    "check",
    "diagnose",
    "reproduce",
    "advise",
    "implicit",
    "pretrain",
    "lab",
]
HEAVY = {"torch", "sklearn", "anndata", "pandas", "scipy", "numpy", "plotly", "h5py", "loky"}


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small table of counts with labels."""
    path = tmp_path_factory.mktemp("data") / "cells.csv"
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.negative_binomial(2, 0.2, size=(60, 9)), columns=[f"gene{i}" for i in range(9)])
    frame.assign(cell_type=random.choice(["alpha", "beta", "delta"], size=60)).to_csv(path, index=False)
    return path


def imported(*arguments: str) -> set[str]:
    """Top-level modules that are loaded once the command has ended."""
    code = (
        "import sys; sys.argv = ['losslens', *sys.argv[1:]]\n"
        "from losslens.faces.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('\\n' + ' '.join({name.split('.')[0] for name in sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(ended.stdout.split("\n")[-2].split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("compare", "--help")], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    loaded = imported(*arguments)
    assert "losslens" in loaded
    assert not loaded & HEAVY


def test_an_import_would_be_noticed():
    assert "numpy" in imported("list", "data")


def test_importing_losslens_imports_nothing_heavy():
    code = "import losslens, sys; print(*{name.split('.')[0] for name in sys.modules})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(ended.stdout.split()) & HEAVY


def test_the_package_is_a_command_too():
    ended = subprocess.run([sys.executable, "-m", "losslens", "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout == f"losslens {losslens.__version__}\n"
    wrong = subprocess.run([sys.executable, "-m", "losslens", "show", "hubber"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "Did you mean 'huber'" in wrong.stderr


def test_version():
    ended = call("--version")
    assert (ended.status, ended.out) == (0, f"losslens {losslens.__version__}\n")


def test_help_names_every_command():
    ended = call("--help")
    assert ended.status == 0
    assert all(f"  {name} " in ended.out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example(command):
    ended = call(command, "--help")
    assert ended.status == 0
    assert ended.out.startswith(f"Usage: losslens {command}")
    _, _, example = ended.out.partition("Example")
    assert f"losslens {command} " in example


def test_without_a_command_the_help_is_shown():
    ended = call()
    assert "Usage: losslens" in ended.out + ended.err


@pytest.mark.parametrize("what", CATALOGUES)
def test_list(what):
    listed = call("list", what, "--json")
    entries = json.loads(listed.out)
    assert listed.status == 0
    assert entries
    assert all(entry["name"] and entry["summary"] for entry in entries)
    plain = call("list", what).out.splitlines()
    assert len(plain) == len(entries)
    for line, entry in zip(plain, entries, strict=True):
        assert line.startswith(entry["name"])
        assert line.endswith(entry["summary"])


def test_inspect(counts):
    said = call("inspect", counts)
    assert said.status == 0
    assert "raw counts" in said.out
    assert "60 samples" in said.out
    assert said.err == ""
    found = json.loads(call("inspect", counts, "--json").out)
    assert found["kind"] == "raw counts"
    assert (found["samples"], found["features"]) == (60, 9)
    assert set(found["classes"]) == {"alpha", "beta", "delta"}
    assert {"negative_binomial", "mse", "mse+softplus"} <= set(found["fits"])
    assert any("bernoulli" in each["candidate"] and "zeros and ones" in each["reason"] for each in found["refused"])
    assert found["goal"]["name"] == "direction"


def test_inspect_takes_the_options_of_reading(counts):
    frame = pd.read_csv(counts).drop(columns="cell_type").T
    turned = counts.with_name("turned.tsv")
    frame.to_csv(turned, sep="\t", index_label="gene")
    found = json.loads(call("inspect", turned, "--transpose", "--json").out)
    assert (found["samples"], found["features"]) == (60, 9)
    declared = json.loads(call("inspect", counts, "--kind", "non-negative", "--json").out)
    assert declared["kind"] == "non-negative"
    assert "negative_binomial" not in declared["fits"]


def test_compare_prints_json_and_nothing_else(tmp_path, counts):
    ended = run("compare", counts, *TINY_OPTIONS, "--json", "--out", tmp_path / "out")
    assert ended.status == 0, ended.err
    assert ended.err == ""
    printed = Document.model_validate_json(ended.out)
    assert printed.recommended in ("mse", "cosine")
    assert ended.out == (tmp_path / "out" / "results.json").read_text() + "\n"


def test_compare_prints_the_gate_the_table_and_the_sentence(tmp_path, counts):
    ended = call("compare", counts, *TINY_OPTIONS, "--out", tmp_path / "out")
    assert ended.status == 0
    assert ended.err == ""  # bars are for terminals only
    written = Document.model_validate_json((tmp_path / "out" / "results.json").read_bytes())
    flat = " ".join(ended.out.split())
    assert "raw counts" in flat
    assert written.sentence in flat
    assert written.code in flat
    assert str(tmp_path / "out" / "report.html") in flat


def test_the_default_folder_is_named_after_the_data(tmp_path, counts, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = call("compare", counts, *TINY_OPTIONS)
    assert ended.status == 0, ended.err
    (folder,) = (tmp_path / "losslens-runs").iterdir()
    assert folder.name.startswith("cells-")
    assert (folder / "report.html").is_file()


def test_code_sizes_are_compared(tmp_path, counts):
    """The last of two options counts, whichever of its names it goes by."""
    ended = call("compare", counts, *TINY_OPTIONS, "--code-size", "2,3", "--out", tmp_path / "out")
    assert ended.status == 0, ended.err
    assert "Code sizes, by R\N{SUPERSCRIPT TWO}, hidden values" in ended.out
    report = Document.model_validate_json((tmp_path / "out" / "results.json").read_bytes())
    assert report.sweep is not None
    assert report.sweep.sizes == [2, 3]
    assert {curve.key for curve in report.sweep.curves} == {"mse", "cosine", "pca"}


def in_a_terminal(*arguments: object) -> tuple[str, str]:
    """Standard output, and what a terminal gets as standard error."""
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=theirs, env={**environment(), "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # how Linux says that the other end was closed
                break
        assert process.stdout is not None
        printed = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0, shown.decode()
    return printed.decode(), shown.decode()


def test_bars_are_live_in_a_terminal(tmp_path, counts):
    printed, shown = in_a_terminal("compare", counts, *TINY_OPTIONS, "--json", "--out", tmp_path / "out")
    assert Document.model_validate_json(printed).rows
    assert "training" in shown
    assert "report" in shown
    assert "10/10" in shown  # every trial of three baselines and two losses on two splits
