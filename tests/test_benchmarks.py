"""The benchmark scripts run: their figures are looked at by people, not by tests."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks come with the repository only")


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return _script


@pytest.mark.parametrize("name", ["training", "sweep", "implicit", "watching"])
def test_help(name: str) -> None:
    done = subprocess.run([sys.executable, FOLDER / f"{name}.py", "--help"], capture_output=True, text=True, check=True)
    assert "--quick" in done.stdout
    assert "--json" in done.stdout


def test_a_quick_training_measures_both_contenders(script, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    script("training").main(["--quick", "--json", str(tmp_path / "result.json")])
    result = json.loads((tmp_path / "result.json").read_text())
    assert list(result["runs"]) == ["losslens", "plain"]
    for runs in result["runs"].values():
        assert runs[0]["cpu"] > 0
        assert 0 < runs[0]["mse"] < result["mse of the mean profile"]
    assert "CPU over losslens" in capsys.readouterr().out


def test_watching_is_measured_beside_the_same_training_without(script, tmp_path: Path) -> None:
    watching = script("watching")
    options = watching.parse(["--quick"])
    ((name, case),) = watching.prepare("dense", ("mse",), tmp_path, options)
    one = watching.measure(case, options.repeats)
    assert (name, one["epochs"], len(one["with"]), len(one["without"])) == ("mse", 1, 1, 1)
    assert 0 < one["share"][0] < 1


def test_the_script_of_the_sweep_learns(script, tmp_path: Path) -> None:
    from losslens.run.prepared import prepared

    sweep = script("sweep")
    plan = sweep.prepare(tmp_path, sweep.parse(["--quick"]))
    trials = sweep.trials(plan)
    assert [trial.objective.loss for trial in trials] == ["mse", "cosine"]
    data = prepared(Path(plan.folder), trials[0].split, trials[0].transform)
    slow, fast = (sweep.train_one(plan, data, "mse", lr, epochs=1) for lr in (1e-9, 1e-3))
    assert fast < 0.9 * slow


def test_ratios_are_theirs_over_ours(script) -> None:
    timing = script("_timing")
    assert timing.pairwise_ratios([4.0, 6.0], [2.0, 2.0]) == [2.0, 3.0]
    assert timing.in_turn(["a", "b", "c"], 1) == ["b", "c", "a"]
