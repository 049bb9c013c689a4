"""Comparisons that end in a second, and ways to run them: from Python, in this process or as the real command."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import sysconfig
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import losslens

COMMAND = [str(Path(sysconfig.get_path("scripts")) / "losslens")]
TINY: dict[str, Any] = {
    "losses": ["mse", "cosine"],
    "repeats": 2,
    "epochs": 2,
    "code": 2,
    "hidden": [8],
    "learning_rates": [1e-3],
    "precision": "fp32",
    "workers": 0,
}
TINY_OPTIONS = shlex.split(
    "--loss mse --loss cosine --repeats 2 --epochs 2 --code 2 --hidden 8 --lr 1e-3 --precision fp32 --workers 0"
)


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


def tiny(data: Any, out: Path, **options: Any) -> Any:
    """A comparison of two losses on two splits, in this process."""
    return losslens.compare(data, out=out, **{**TINY, **options})


def without_times(value: Any) -> Any:
    """A JSON value without the fields that hold times."""
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if key not in ("seconds", "written")}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def run(*arguments: object, cwd: Path | None = None) -> Ended:
    """The real command, in a process of its own; its standard error is no terminal."""
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False, env=environment()
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def environment() -> dict[str, str]:
    """As it is, with the width of a terminal that leaves paths in one piece."""
    return {**os.environ, "COLUMNS": "300"}


def call(*arguments: object) -> Ended:
    """The command in this process, through its entry point."""
    from losslens.faces.cli import main

    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["losslens", *map(str, arguments)])
        patch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit) as ended:
            main()
    return Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue())
