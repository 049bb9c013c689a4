"""The benchmark scripts run: their figures are looked at by people, not by tests."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
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


@pytest.mark.parametrize("name", ["training", "sweep", "implicit", "embedding_norms", "watching"])
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


def _planted(script, epochs: dict[tuple[float, float], float], last: dict[tuple[float, float], float]):
    """Courses of five splits that reach an end in about so many epochs (never if over 30), read every second epoch."""
    random, course = np.random.default_rng(0), script.Course

    def one(at: float, end: float) -> object:
        rising = [end if epoch >= at + random.uniform(-2, 2) else 0.3 for epoch in range(31)]
        accuracy = [value if epoch % 2 == 0 else None for epoch, value in enumerate(rising)]
        return course([*accuracy[:-1], end + random.uniform(-0.005, 0.005)], [4.0, None, 8.0])

    settings = [(cut, decay) for cut in script.CUTS for decay in script.DECAYS]
    return {s: {split: one(epochs.get(s, 20.0), last.get(s, 0.9)) for split in range(5)} for s in settings}


@pytest.mark.parametrize(
    ("epochs", "last", "expected"),
    [
        ({(9.0, 5e-4): 8.0}, {}, "confirmed"),
        ({(9.0, 5e-4): 27.0}, {}, "refuted"),
        ({(9.0, 5e-4): 20.0}, {}, "undecided"),
        ({(9.0, 5e-4): 8.0, (1.0, 5e-4): 8.0}, {}, "undecided"),  # the decay alone does it
        ({(9.0, 5e-4): 8.0}, {(9.0, 5e-4): 0.88}, "refuted"),  # sooner, and worse in the end
    ],
)
def test_a_planted_effect_of_the_cut_is_judged(script, epochs, last, expected) -> None:
    norms = script("embedding_norms")
    rows = [*norms.judged("made", "simsiam", _planted(norms, epochs, last))]
    assert rows[0]["level"] == pytest.approx(0.3 + 0.9 * 0.6, abs=0.01)
    assert f"a cut of 9 (form all) with decay 0.0005 is {expected}." in norms.sentence(rows)
    assert {len(row["leads"]) for row in rows if row["cut"] > 1 and row["decay"]} == {2}
    assert len(norms._row(rows[-1])) == 11


def test_a_level_that_is_never_reached_counts_one_epoch_more(script) -> None:
    course = script("embedding_norms").Course([0.1, None, 0.5, None, 0.7], [1.0])
    assert [course.epochs(level) for level in (0.05, 0.5, 0.6, 0.8)] == [0, 2, 4, 5]
    assert (course.reached(0.8), course.last) == (None, 0.7)
