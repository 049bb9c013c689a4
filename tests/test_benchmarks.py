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


@pytest.mark.parametrize("name", ["training", "sweep", "implicit", "embedding_norms", "watching", "stuck_at_04"])
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
    cases = watching.prepare("dense", ("mse", "simclr"), tmp_path, options)
    assert [name for name, _ in cases] == ["mse", "simclr"]
    for _, case in cases:
        one = watching.measure(case, options.repeats)
        assert (one["epochs"], one["readings"], len(one["with"]), len(one["without"])) == (1, 2, 1, 1)
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
    assert len(norms._row(rows[-1])) == 12


def test_data_sets_are_judged_together_split_by_split(script) -> None:
    """Half a training sooner on one set and level on the other is a quarter over both."""
    norms = script("embedding_norms")
    found = [
        row
        for name, epochs in (("one", {(9.0, 5e-4): 5.0}), ("two", {}))
        for row in norms.judged(name, "simsiam", _planted(norms, epochs, {}))
    ]
    told = norms.together(found, "simsiam", "all")
    assert "simsiam on one, two together: a cut of 9 (form all) with decay 0.0005 is confirmed" in told
    assert "beside cut 1, decay 0 sooner by +0.2" in told


def test_calls_for_action_are_counted_by_cut(script) -> None:
    norms = script("embedding_norms")
    quiet = norms.Course([0.1, 0.9], [1.0, 1.0])
    loud = norms.Course([0.1, 0.2], [1.0, 9.0], ["direction_collapse", "norm_growth"])
    own = {(cut, decay): {0: quiet, 1: loud if cut == 9.0 else quiet} for cut in norms.CUTS for decay in norms.DECAYS}
    rows = [*norms.judged("made", "byol", own)]
    assert rows[-1]["called for action"] == {"direction_collapse": 1, "norm_growth": 1}
    assert norms.calls(rows, "byol").endswith("no cut: 0 of 4; all by 3: 0 of 4; all by 9: 2 of 4.")


def test_a_level_that_is_never_reached_counts_one_epoch_more(script) -> None:
    course = script("embedding_norms").Course([0.1, None, 0.5, None, 0.7], [1.0])
    assert [course.epochs(level) for level in (0.05, 0.5, 0.6, 0.8)] == [0, 2, 4, 5]
    assert (course.reached(0.8), course.last) == (None, 0.7)


def _made_parts(stuck):
    """Standardised profiles of 60 features on 4 hidden ones."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(500, 4)) @ random.normal(size=(4, 60)) / 2 + 0.3 * random.normal(size=(500, 60))
    tensor = stuck.torch.from_numpy(rows).float()
    return stuck.Parts(tensor[:300], tensor[300:400], tensor[400:], stuck.torch.zeros(60), stuck.torch.ones(60))


def test_following_the_verdict_on_a_sigmoid_output_takes_it_away(script) -> None:
    stuck = script("stuck_at_04")
    one = stuck.followed(stuck.Setup(output="sigmoid"), _made_parts(stuck), 20, 0, 1)
    assert one["followed"] == ["narrow_output"]
    assert [each["setup"]["output"] for each in one["rounds"]] == ["sigmoid", "linear"]
    before, after = (stuck.column([one], "cosine", at)[0] for at in (0, -1))
    assert after > before + 0.1
    assert "act narrow_output" in stuck.said([one])
    assert stuck.named([one], "narrow_output") == "narrow_output: 1, first 1, of 1"


def test_a_finding_that_changes_nothing_is_passed_over(script) -> None:
    stuck = script("stuck_at_04")
    facts = {"verdict": "act", "value": 1.0, "unit": "", "threshold": 0.5, "epoch": 1, "reason": "", "remedy": ""}
    found = [stuck.Finding(name=name, **facts) for name in ("norm_ratio", "narrow_output", "learning_rate_too_low")]
    name, changed = stuck.advised(stuck.Setup(lr=1e-4), found)
    assert (name, changed.lr) == ("learning_rate_too_low", pytest.approx(5e-4))
    assert stuck.advised(stuck.Setup(), found[:2]) is None


def test_what_is_planted_is_in_the_network(script) -> None:
    stuck = script("stuck_at_04")
    plain, dead = (stuck.network(stuck.Setup(bias=bias), 30) for bias in (None, -3.0))
    assert plain[0].bias.abs().max() < 1
    assert (dead[0].bias == -3.0).all()
    assert isinstance(stuck.network(stuck.Setup(output="tanh"), 30)[-1], stuck.nn.Tanh)


def test_the_story_runs_and_goes_on_where_it_was_stopped(script, tmp_path: Path, monkeypatch, capsys) -> None:
    stuck = script("stuck_at_04")
    names = ("none", "sigmoid output", "none, cosine as the loss")
    monkeypatch.setattr(stuck, "MISTAKES", {name: stuck.MISTAKES[name] for name in names})
    arguments = ["--quick", "--folder", str(tmp_path), "--json", str(tmp_path / "result.json")]
    first = stuck.main(arguments)
    monkeypatch.setattr(stuck, "followed", None)
    assert stuck.main(arguments) == first
    assert list(json.loads((tmp_path / "result.json").read_text())["found"]["mistakes"]) == list(names)
    assert all(0.3 < one["cosine"] < 0.7 for one in first["baselines"]["PCA of 32"])
    assert "sigmoid output" in capsys.readouterr().out
