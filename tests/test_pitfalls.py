"""The published pitfalls measured again, norms as confidence, and the commands ``lab`` and ``reproduce pitfalls``."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from tests.small_runs import call
from tests.test_report_browser import visit

from losslens import lab
from losslens.faces.lab.article import article as lab_article
from losslens.faces.lab.pitfalls import article, exponent
from losslens.lab.pitfalls import DECAYS, NORMS, PUBLISHED_ANGLES, TOY_DECAYS
from losslens.report.article import render
from losslens.vocabulary.errors import BadInput


def test_the_published_steps_by_norm_come_out_again():
    """The whole table, to 2 % and one step: other random pairs."""
    rows = lab.steps_by_norm(seed=0)
    assert [row.published for row in rows][:3] == [6, 24, 54]
    assert len(rows) == 13
    for row in rows:
        assert row.measured == pytest.approx(row.published, rel=0.02, abs=1.0), row
        assert row.formula == pytest.approx(row.published, rel=0.03), row
    assert exponent(rows) == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_published_steps_by_angle_come_out_again(seed):
    """To two steps with the notebook's first step, which alone explains what is left without it."""
    rows = lab.steps_by_angle(seed=seed)
    assert len(rows) == len(PUBLISHED_ANGLES)
    for row in rows:
        assert row.start == pytest.approx(row.published_start, abs=0.03)
        assert row.first_step == pytest.approx(row.published, abs=2.5), row
        assert row.measured == pytest.approx(row.published, rel=0.06, abs=1.0), row
    assert rows[-1].measured < 2.5 * rows[len(rows) // 2].measured  # mild, unlike the norm


def test_forces_fall_as_one_over_the_norm_and_are_those_of_the_loss():
    rows = lab.forces_by_norm(seed=0)
    assert [row.norm for row in rows] == list(NORMS)
    for name in ("attraction", "repulsion"):
        products = [getattr(row, name) * row.norm for row in rows]
        assert products == pytest.approx([products[0]] * len(rows))
    assert max(row.along for row in rows) < 1e-12


def test_norms_come_to_the_equilibrium():
    scale = replace(lab.QUICK, decay_points=100)
    for decay in (0.01, 0.1):
        found = lab.norm_by_decay(decay, scale, seed=0)
        assert found.end == pytest.approx(found.formula, rel=0.03)
    free = lab.norm_by_decay(0.0, scale, seed=0)
    assert free.formula is None
    assert free.end == pytest.approx(lab.norm_after(1500, 3.0, 0.5, sine_squared=0.95), rel=0.02)


def test_accuracy_by_norm_is_read_bin_by_bin():
    generator = torch.Generator().manual_seed(0)
    norms = 3.0 + 4.0 * torch.rand(20_000, generator=generator)
    right = torch.rand(20_000, generator=generator) < (norms - 3.0) / 4.0
    bins = lab.accuracy_by_norm(norms, right)
    assert len(bins) == 20
    assert sum(each.samples for each in bins) == 20_000
    for each in bins:
        assert each.accuracy == pytest.approx((each.low + each.high) / 2.0, abs=0.06)
    few = lab.accuracy_by_norm(norms[:30], right[:30], bins=20, fewest=3)
    assert all(each.samples >= 3 for each in few)
    assert lab.accuracy_by_norm(torch.ones(12), torch.ones(12, dtype=torch.bool))[0].samples == 12


def test_halves_of_classes_see_through_classes_that_differ_in_both():
    """Long and easy, short and hard, but nothing within a class: bins rise, halves do not."""
    labels = torch.arange(2000) % 2
    generator = torch.Generator().manual_seed(0)
    norms = labels + 0.1 * torch.rand(2000, generator=generator)
    right = torch.rand(2000, generator=generator) < 0.2 + 0.6 * labels
    bins = lab.accuracy_by_norm(norms, right)
    assert bins[-1].accuracy - bins[0].accuracy > 0.4
    shorter, longer = lab.accuracy_by_half(norms, right, labels)
    assert abs(longer - shorter) < 0.06


def test_what_norms_cannot_be_read_of_is_refused():
    with pytest.raises(BadInput, match="at least one sample"):
        lab.accuracy_by_norm(torch.ones(3), torch.ones(4, dtype=torch.bool))
    with pytest.raises(BadInput, match="two samples"):
        lab.accuracy_by_half(torch.ones(1), torch.ones(1, dtype=torch.bool), torch.zeros(1, dtype=torch.long))


def test_neighbours_vote_by_cosine():
    from sklearn.neighbors import KNeighborsClassifier

    known, asked = torch.randn(2, 60, 4, generator=torch.Generator().manual_seed(0)).double()
    labels = torch.arange(60) % 3
    expected = KNeighborsClassifier(7, metric="cosine", algorithm="brute").fit(known, labels).predict(asked)
    assert lab.neighbours_vote(asked * 5.0, known, labels, neighbours=7).tolist() == expected.tolist()


def test_the_toy_network_learns_and_its_norms_tell_how_sure_it_is():
    toy = lab.Toy(points=1000, epochs=15)
    runs = [lab.train_toy(toy, seed=seed) for seed in (0, 1)]
    for run in runs:
        assert run.right.float().mean() > 8.0 / 15.0 - 0.05  # about what naming the commonest class gives, or more
        shorter, longer = lab.accuracy_by_half(run.norms, run.right, run.labels)
        assert longer > shorter + 0.05
    decayed = lab.train_toy(toy, seed=0, decay=0.1)
    assert decayed.class_norms[-1].mean() < 0.8 * runs[0].class_norms[-1].mean()
    assert torch.equal(lab.train_toy(toy, seed=0).norms, runs[0].norms)


def test_a_toy_run_leaves_the_worlds_random_numbers_and_threads_alone():
    numbers, threads = torch.get_rng_state(), torch.get_num_threads()
    lab.train_toy(lab.Toy(points=50, epochs=1), seed=0)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert torch.get_num_threads() == threads


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The command, once, and what it left."""
    folder = tmp_path_factory.mktemp("pitfalls") / "out"
    ended = call("reproduce", "pitfalls", "--quick", "-o", folder)
    assert ended.status == 0, ended.err
    return folder, ended


def test_the_command_prints_all_parts_and_writes_them(quick):
    folder, ended = quick
    for words in ("Steps by norm", "start angle", "attraction", "equilibrium", "Norm as confidence", "published"):
        assert words in ended.out
    found = json.loads((folder / "results.json").read_text())
    assert (found["name"], found["quick"], found["seed"]) == ("pitfalls", True, 0)
    assert [row["measured"] for row in found["norms"]][:3] == [6, 24, 54]
    assert len(found["decays"]) == len(DECAYS)
    assert len(found["toys"]) == len(TOY_DECAYS)


def test_the_same_seed_gives_the_same_results_and_another_others(quick):
    folder, _ = quick
    counted = []
    found = lab.pitfalls(lab.QUICK, advance=lambda: counted.append(1))
    assert len(counted) == lab.QUICK.parts
    told = json.loads((folder / "results.json").read_text())
    assert [row.start for row in found.angles] == [row["start"] for row in told["angles"]]
    assert list(found.toys[0].halves) == told["toys"][0]["halves"]
    assert lab.norm_by_decay(0.1, lab.QUICK, seed=1).end != found.decays[-1].end


def test_the_report_is_drawn_silent_and_offline(quick, tmp_path):
    seen = visit((quick[0] / "report.html").read_text(), tmp_path)
    seen.check()
    assert seen.probe["plots"] == 3 * 7


def test_words_follow_the_numbers():
    """Of runs in which rare classes are plainly shorter, and long embeddings no surer, the report says so."""
    found = lab.pitfalls(lab.QUICK)
    toy = replace(found.toys[0], rarest_less_commonest=(-1.0, -1.1, -0.9, -1.0), halves=(0.7, 0.6))
    words = " ".join(
        text for section in article(replace(found, toys=(toy, *found.toys[1:]))).sections for text in section.paragraphs
    )
    assert "the rarest is shorter" in words
    assert "tells more" not in words
    plain = render(article(found))
    assert "cannot be told apart" in plain or "the rarest is" in plain


# The command lab.


def test_lab_prints_formulas_beside_measurements_and_writes_page_and_picture(tmp_path):
    ended = call("lab", "--norm", 3, "--angle", 120, "-o", tmp_path / "out")
    assert ended.status == 0, ended.err
    for words in ("closed form", "autograd", "steps until cosine 0.999", "From norm 3 at 120 degrees"):
        assert words in ended.out
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    told = lab.steps_needed(3.0, 0.02, angle=math.radians(120.0))
    assert found["steps"] == pytest.approx(told, rel=0.01)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"results.json", "report.html", "picture.svg"}
    assert (tmp_path / "out" / "picture.svg").read_text().startswith("<svg ")
    again = call("lab", "--norm", 3, "-o", tmp_path / "out", "--json")
    assert json.loads(again.out)["setting"]["norm"] == 3.0
    seen = visit((tmp_path / "out" / "report.html").read_text(), tmp_path)
    seen.check()
    assert seen.probe["plots"] == 3 * 5


def test_lab_without_matplotlib_says_what_is_missing(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ended = call("lab", "-o", tmp_path / "out")
    assert ended.status == 0
    assert "No picture.svg" in ended.out
    assert "losslens[pages]" in ended.out
    assert not (tmp_path / "out" / "picture.svg").exists()


def test_a_pair_that_does_not_arrive_is_said_to(monkeypatch):
    from losslens.lab import reading

    monkeypatch.setattr(reading, "MOST_READ", 50)
    made = lab_article(lab.read(lab.Setting(norm=10.0)))
    assert "does not reach" in made.sentence
    assert "more than" in made.sections[0].tables[0].rows[-1][2]


def test_where_the_closed_form_does_not_hold_the_report_says_so():
    told = {
        "overshoots": lab.Setting(norm=0.1),
        "nothing of the decay": lab.Setting(decay=0.1, until=0.5),
    }
    for words, setting in told.items():
        assert words in " ".join(lab_article(lab.read(setting)).sections[0].paragraphs)
    assert lab_article(lab.read(lab.Setting())).sections[0].paragraphs == ()


@pytest.mark.parametrize("options", [("--weight-decay", 2), ("--grad-scale", 2, "--norm", 20), ("--sides", 1)])
def test_every_remedy_can_be_drawn(tmp_path, options):
    assert call("lab", *options, "-o", tmp_path / "out").status == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lab", "--norm", 0), "positive norm"),
        (("lab", "--angle", 180), "between 0 and 180"),
        (("lab", "--sides", 3), "1 or 2 sides"),
        (("lab", "--dimension", 1), "two dimensions"),
        (("lab", "--until", 1), "between -1 and 1"),
        (("lab", "--step", -1), "positive step"),
        (("lab", "--weight-decay", 50), "below 1"),
        (("reproduce", "pitfall"), "Did you mean 'pitfalls'"),
        (("reproduce", "pitfalls", "--trials", 500), "an option that 'pitfalls' has"),
        (("reproduce", "concentration", "--quick"), "an option that 'concentration' has"),
    ],
)
def test_mistakes_end_with_a_message_and_nothing_written(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = call(*arguments)
    assert ended.status == 2
    assert words in ended.err
    assert not list(tmp_path.iterdir())


def test_other_folders_are_not_written_to(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    for name, words in (("mine", "something else"), ("file", "a file")):
        ended = call("lab", "-o", tmp_path / name)
        assert (ended.status, words in ended.err) == (2, True)
    assert call("lab", "-o", tmp_path / "ours").status == 0
    assert call("reproduce", "pitfalls", "--quick", "-o", tmp_path / "ours").status == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
