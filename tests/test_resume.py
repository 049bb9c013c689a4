"""Equal seeds give equal results; a run that is killed, interrupted or robbed of a worker goes on where it stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.small_runs import COMMAND, TINY_OPTIONS, call, environment, run, tiny, without_times

from losslens.data import synthetic
from losslens.data.gate import look
from losslens.models.spec import ModelSpec
from losslens.run.composition import Shared
from losslens.run.executors import LocalProcesses, Lost
from losslens.run.plan import plan
from losslens.run.spec import TrainingSpec, TrialSpec

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")
DATA = synthetic.gaussian_noise(samples=90, features=12)
PATIENCE = 120.0  # seconds after which a loaded machine is taken for a hang


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "cells.csv"
    frame = pd.DataFrame(DATA.values, columns=[f"gene{i}" for i in range(12)])
    frame.assign(cell_type=DATA.labels).to_csv(path, index=False)
    return path


def options(out: Path, *more: object) -> list[str]:
    """Long enough to be stopped in the middle, also on a busy machine: 60 trials, each a moment."""
    return [*TINY_OPTIONS, "--repeats", "12", "--epochs", "40", "--out", str(out), *map(str, more)]


@pytest.fixture(scope="module")
def whole(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same comparison without any disturbance."""
    out = tmp_path_factory.mktemp("whole") / "out"
    ended = call("compare", table, *options(out))
    assert ended.status == 0, ended.err
    return out


def results(out: Path) -> Any:
    """results.json without its times."""
    return without_times(json.loads((out / "results.json").read_bytes()))


def finished(out: Path) -> dict[str, int]:
    """Trial ids and when their results were written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("trials/[!.]*/result.json")}


def until(true: Callable[[], Any], what: str) -> None:
    """Wait until something is true."""
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, f"waited in vain for {what}"
        time.sleep(0.01)


def started(*arguments: object) -> subprocess.Popen[str]:
    """The real command in a process group of its own, as a shell starts it."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment(),
        preexec_fn=_listens,
    )  # fmt: skip


def _listens() -> None:
    """Interrupts reach the command, also where these tests run in the background of a shell, which ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def members(group: int) -> list[int]:
    """Processes of a group that are alive, from /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has just ended
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(path.parent.name))
    return found


def children(parent: int) -> list[int]:
    """Worker processes: those that run losslens trials, and not the one that counts shared resources."""
    return [
        int(child)
        for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if b"popen_loky" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


# --- the same again ------------------------------------------------------------------------------------------------


def test_times_are_told_from_results():
    document = {"seconds": 1, "rows": [{"seconds": 2, "key": "mse", "written": "now"}], "epochs": [3]}
    assert without_times(document) == {"rows": [{"key": "mse"}], "epochs": [3]}


def test_one_seed_gives_one_result(whole, table, tmp_path):
    ended = run("compare", table, *options(tmp_path / "again"))  # in another process
    assert ended.status == 0, ended.err
    assert results(tmp_path / "again") == results(whole)
    weights = [(out / "model" / "weights.safetensors").read_bytes() for out in (whole, tmp_path / "again")]
    assert weights[0] == weights[1]


def test_a_finished_run_repeated_runs_nothing(tmp_path):
    tiny(DATA.values, tmp_path / "out")
    before, times = results(tmp_path / "out"), finished(tmp_path / "out")
    again = tiny(DATA.values, tmp_path / "out")
    assert finished(tmp_path / "out") == times
    assert results(tmp_path / "out") == before
    assert again.model.transform(DATA.values).shape == (90, 2)


def test_another_goal_trains_nothing_but_the_model_whose_weights_were_cleared(tmp_path):
    first = tiny(DATA.values, tmp_path / "out", losses=["mse", "gaussian", "cosine"], goal="magnitude")
    times, kept = finished(tmp_path / "out"), first.document.row(first.recommended).trials[0]
    other = tiny(DATA.values, tmp_path / "out", losses=["mse", "gaussian", "cosine"], goal="likelihood")
    chosen = other.document.row(other.recommended).trials[0]
    assert other.recommended == "gaussian"
    assert {trial for trial, when in finished(tmp_path / "out").items() if times[trial] != when} == {chosen} - {kept}
    undisturbed = tiny(DATA.values, tmp_path / "fresh", losses=["mse", "gaussian", "cosine"], goal="likelihood")
    assert results(tmp_path / "out") == results(tmp_path / "fresh")
    model, fresh = other.model.saved.arrays, undisturbed.model.saved.arrays
    assert all((model[name] == fresh[name]).all() for name in fresh)


def test_more_repeats_and_losses_add_to_what_is_there(tmp_path):
    tiny(DATA.values, tmp_path / "out", losses=["mse"], repeats=1)
    times = finished(tmp_path / "out")
    more = tiny(DATA.values, tmp_path / "out", losses=["mse", "cosine"], repeats=2)
    after = finished(tmp_path / "out")
    assert times.items() <= after.items()
    assert len(after) == 2 * (3 + 2)
    assert without_times(more.document.model_dump()) == without_times(
        tiny(DATA.values, tmp_path / "fresh", losses=["mse", "cosine"], repeats=2).document.model_dump()
    )


def test_the_precision_found_best_at_first_is_kept(tmp_path, monkeypatch):
    """A race between precisions may end otherwise on a busy machine; nothing is trained again for that."""
    monkeypatch.setattr("losslens.run.precision.probe", lambda: "fp32")
    tiny(DATA.values, tmp_path / "out", precision="auto")
    times = finished(tmp_path / "out")
    monkeypatch.setattr("losslens.run.precision.probe", lambda: "bf16")
    tiny(DATA.values, tmp_path / "out", precision="auto")
    assert finished(tmp_path / "out") == times
    tiny(DATA.values, tmp_path / "out", precision="bf16")  # unless it is asked for
    assert times.items() < finished(tmp_path / "out").items()


# --- killed --------------------------------------------------------------------------------------------------------


@needs_proc
def test_a_killed_run_leaves_no_process_and_goes_on(whole, table, tmp_path):
    out = tmp_path / "out"
    with started("compare", table, *options(out, "--workers", "2")) as process:
        until(lambda: finished(out), "a finished trial")
        os.kill(process.pid, signal.SIGKILL)
    until(lambda: not members(process.pid), "the end of the workers")
    kept = finished(out)
    assert 0 < len(kept) < 60
    assert not (out / "results.json").exists()
    for folder in ("trials/.0000.partial", ".model.partial", "cache/x/.inputs.partial"):  # killed while writing
        (out / folder).mkdir(parents=True)
        (out / folder / "half").write_text("half")
    (out / ".report.html.partial").write_text("<html>")
    ended = call("compare", table, *options(out))
    assert ended.status == 0, ended.err
    assert kept.items() <= finished(out).items()
    assert results(out) == results(whole)
    assert {path.name for path in out.iterdir()} == {path.name for path in whole.iterdir()}
    assert {path.name for path in (out / "trials").iterdir()} == set(finished(whole))


@needs_proc
def test_ctrl_c_ends_cleanly_and_says_how_to_continue(whole, table, tmp_path):
    out = tmp_path / "out"
    with started("compare", table, *options(out, "--workers", "2")) as process:
        until(lambda: children(process.pid), "a worker")
        workers = children(process.pid)
        for worker in workers:  # while it still imports: interrupts are not for workers
            os.kill(worker, signal.SIGINT)
        until(lambda: finished(out), "a finished trial")
        assert set(workers) <= set(children(process.pid))
        os.killpg(process.pid, signal.SIGINT)  # a terminal signals everything in the foreground
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert f"--out {out}" in err
    kept = finished(out)
    assert f"{len(kept)} of 60 trials are finished and kept" in err
    until(lambda: not members(process.pid), "the end of the workers")
    ended = call("compare", table, *options(out))
    assert ended.status == 0, ended.err
    assert kept.items() <= finished(out).items()
    assert results(out) == results(whole)


@needs_proc
def test_a_killed_worker_is_replaced(whole, table, tmp_path):
    out = tmp_path / "out"
    with started("compare", table, *options(out, "--workers", "2")) as process:
        until(lambda: finished(out), "a finished trial")
        os.kill(children(process.pid)[0], signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert err == ""
    assert results(out) == results(whole)


# --- a trial that kills its worker ---------------------------------------------------------------------------------


def trials(losses: Iterable[str]) -> list[TrialSpec]:
    shared = Shared(ModelSpec(hidden=(8,), code=2), TrainingSpec(epochs=1, learning_rates=(1e-3,)))
    whole = plan(look(DATA), shared, content_hash=DATA.content_hash, losses=tuple(losses), models=(), repeats=1, seed=0)
    return list(whole.trials)


def test_a_deadly_trial_is_given_up_and_takes_no_other_with_it(tmp_path, monkeypatch):
    def work(spec: TrialSpec, folder: Path) -> str:
        if spec.key == "pca":
            os.kill(os.getpid(), signal.SIGKILL)
        return spec.key

    monkeypatch.setattr("losslens.run.executors._work", work)
    specs = trials(["mse"])
    assert [spec.key for spec in specs[:2]] == ["pca", "mean_profile"]  # side by side in two workers
    ended = list(LocalProcesses(2).run(specs, tmp_path, lambda: True))
    lost = [each for each in ended if isinstance(each, Lost)]
    assert [each.spec.key for each in lost] == ["pca"]
    assert "died each time" in lost[0].cause
    assert {each for each in ended if isinstance(each, str)} == {"mean_profile", "zeros", "mse"}
