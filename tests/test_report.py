"""The renderers as functions of the document: what they say, what they escape, how large they are."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console
from tests.report_fixture import document, swept

from losslens.measure.findings import Finding
from losslens.models.spec import ModelSpec
from losslens.report import figures, html, model_figures, table, text
from losslens.report.document import Curve, Difference, Document, Example, Measurement, Refusal, Row, schema
from losslens.report.findings import RowFinding, gather
from losslens.run.spec import SplitSpec, TransformSpec, TrialResult, TrialSpec

SCHEMA = Path(__file__).parents[1] / "docs" / "results.schema.json"
REPORT, SWEPT = document(), swept()
NASTY = "</script><img src=x onerror=alert(1)> & 'Ü'"


def printed(report: Document, width: int = 100, **options: bool) -> str:
    out = io.StringIO()
    text.render(report, Console(file=out, width=width), **options)
    return out.getvalue()


def payload(page: str, name: str = "figures") -> str:
    packed = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', page)
    assert packed
    return gzip.decompress(base64.b64decode(packed[1])).decode()


@pytest.fixture(scope="module")
def page() -> str:
    return html.render(REPORT)


def without_rows() -> Document:
    """A comparison in which nothing could be run."""
    return REPORT.model_copy(
        update={"rows": [], "recommended": None, "examples": [], "pictures": [], "picture_labels": None, "code": ""}
    )


# ---- results.json


def test_json_round_trip_is_equal():
    assert Document.model_validate_json(REPORT.model_dump_json()) == REPORT


def test_json_holds_nothing_that_is_not_json():
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(REPORT.model_dump_json(), parse_constant=refuse)


@given(st.lists(st.floats() | st.none(), min_size=1))
def test_what_is_not_finite_becomes_none(values: list[float | None]):
    part = Measurement(mean=values[0], sd=np.nan, values=values)
    assert part.sd is None
    assert part.values == [v if v is not None and np.isfinite(v) else None for v in values]
    assert Measurement.model_validate_json(part.model_dump_json()) == part


def test_a_diverged_curve_survives_the_round_trip():
    curve = Curve(repeat=0, lr=1e-3, train=[1.0, np.inf], valid=[1.0, np.nan], best_epoch=0, chosen=True)
    assert curve.train == [1.0, None]
    assert Curve.model_validate_json(curve.model_dump_json()) == curve


def test_a_difference_must_be_finite():
    with pytest.raises(ValidationError, match="finite"):
        Difference(versus="mse", mean=0.1, low=-0.1, high=0.3, p=np.nan, p_holm=1.0, repeats=5)


def test_the_documented_schema_is_the_models():
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema(), "write it anew: python -m tests.test_report"


# ---- the terminal


def test_the_sentence_comes_last():
    assert " ".join(printed(REPORT).split()).endswith(REPORT.sentence)


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal(width: int):
    lines = printed(REPORT, width).splitlines()
    assert max(len(line) for line in lines if line != REPORT.code) <= width
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_every_row_is_one_line_with_its_score_and_verdict(width: int):
    lines = printed(REPORT, width, gate=False).splitlines()
    decider = table.columns(REPORT, digits=3)[0]
    for row in REPORT.rows:
        line = next(line for line in lines if line.startswith(row.title + "  "))
        assert row.verdict in line
        assert (decider.cells[row.key].text if row.key in decider.cells else table.NOTHING) in line


def test_a_wider_terminal_shows_more_yardsticks():
    shown = [len(re.findall(r"0\.\d{3}", printed(REPORT, width, gate=False))) for width in (80, 120, 200)]
    assert shown[0] < shown[1] < shown[2]


def test_code_is_never_broken():
    long = REPORT.model_copy(update={"code": "loss = " + "x" * 200})
    assert long.code in printed(long, 80).splitlines()


def test_not_a_terminal_means_no_colour():
    assert "\x1b" not in printed(REPORT)


def test_brackets_are_not_read_as_markup():
    marked = REPORT.model_copy(update={"sentence": "The code [bold] in [0, 1] is /best[/bold]."})
    assert printed(marked).rstrip().endswith(marked.sentence)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_prints_to_any_encoding(encoding: str):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    text.render(REPORT, Console(file=out, width=100))
    out.flush()
    said = raw.getvalue().decode(encoding)
    assert "cosine plus mse" in said
    assert ("↑" in said) == (encoding == "utf-8")


def test_the_gate_alone():
    out = io.StringIO()
    data = REPORT.dataset
    text.render_gate(data, candidates=["mse", "cosine"], refused=REPORT.refused, console=Console(file=out, width=200))
    said = out.getvalue()
    assert "2,551 samples × 2,000 features" in said
    for expected in [
        "mse, cosine",
        *(fact.value for fact in data.facts),
        *(refusal.reason for refusal in REPORT.refused),
    ]:
        assert expected in said


def test_many_refusals_are_shortened():
    many = REPORT.model_copy(update={"refused": [Refusal(candidate=f"c{n}", reason="no") for n in range(20)]})
    assert "c5" in printed(many)
    assert "c6" not in printed(many)
    assert "and 14 more" in printed(many)


def test_nothing_run_still_prints():
    assert printed(without_rows()).rstrip().endswith("0.065).")
    assert text.summary_lines(without_rows()) == [REPORT.sentence]


def test_summary_names_the_best_and_ends_with_the_sentence():
    lines = text.summary_lines(REPORT, rows=2)
    assert lines[0].split() == ["cosine", "plus", "mse", "·", "PCA", "path", "0.446", "recommended"]
    assert lines[2:] == [REPORT.sentence]


# ---- the page


def test_page_is_small_and_self_contained(page: str):
    assert len(page.encode()) < 2_200_000
    outside = re.sub(r'(?s)<script type="text/plain".*?</script>', "", page)
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", outside)
    assert "@import" not in outside
    assert "url(" not in outside


def test_same_document_same_page(page: str):
    assert html.render(REPORT) == page


def test_page_holds_plotly_and_the_figures(page: str):
    assert "plotly.js v" in payload(page, "plotly")
    drawn = json.loads(payload(page))
    assert set(drawn["curves"]["rows"]) == {row.key for row in REPORT.rows if row.curves}
    assert len(drawn["pictures"]["group"]) == 400
    assert len(drawn["examples"]["items"]) == 12


def test_page_says_everything(page: str):
    said = [REPORT.sentence, *REPORT.advice, *REPORT.not_run, REPORT.goal.reason, *(r.reason for r in REPORT.refused),
            *(y.explanation for y in REPORT.yardsticks), *(s.value for s in REPORT.settings),
            *(f.value for f in REPORT.dataset.facts), *(row.title for row in REPORT.rows)]  # fmt: skip
    for words in said:
        assert str(escape(words)) in page


def escape(words: str) -> str:
    from markupsafe import escape as markup

    return markup(words)


def test_text_cannot_become_markup():
    row = REPORT.rows[0].model_copy(update={"title": NASTY})
    example = REPORT.examples[0].model_copy(update={"sample": NASTY, "features": [NASTY] * 60})
    nasty = REPORT.model_copy(
        update={"sentence": NASTY, "rows": [row, *REPORT.rows[1:]], "examples": [example], "code": NASTY,
                "picture_labels": [NASTY] * 400}
    )  # fmt: skip
    for page in (html.render(nasty), html.render(nasty, plain_js=True), html.fragment(nasty)):
        assert "<img" not in page.replace("<img>", "").split("plotly.js v")[0]
        assert "onerror=alert" not in re.sub(r"&lt;.*?&gt;|\\u003c.*?>", "", page)
        assert page.count("<script") == page.count("</script>")


def test_plain_page_needs_no_unpacking():
    page = html.render(REPORT, plain_js=True)
    data = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page)
    assert data
    assert json.loads(data[1])["intervals"]
    assert "plotly.js v" in page


def noisy_example(rng: np.random.Generator, features: int = 300) -> Example:
    rebuilt = {row.key: rng.normal(size=features).tolist() for row in REPORT.rows}
    return Example(sample="s", label=None, features=[f"G{n}" for n in range(features)],
                   target=rng.normal(size=features).tolist(), reconstructions=rebuilt)  # fmt: skip


def test_a_page_too_large_is_thinned_and_says_so(page: str):
    rng = np.random.default_rng(0)
    big = REPORT.model_copy(update={"examples": [noisy_example(rng) for _ in range(24)]})
    assert len(html._page(big, html.FULL, html.plotly_js(False), False).encode()) > html.LIMIT
    thinned = html.render(big)
    assert len(thinned.encode()) <= html.LIMIT
    assert html.THINNED in thinned
    assert 0 < len(json.loads(payload(thinned))["examples"]["items"]) < 24
    assert html.THINNED not in page


@pytest.mark.parametrize("change", [
    {"pictures": [], "picture_labels": None}, {"picture_labels": None}, {"examples": []},
    {"refused": [], "not_run": []},
    {"recommended": None}, {"advice": [], "code": ""},
    {"rows": [row.model_copy(update={"difference": None, "curves": []}) for row in REPORT.rows]},
    {"rows": REPORT.rows[-1:], "recommended": None, "examples": [], "pictures": []},
])  # fmt: skip
def test_parts_may_be_missing(change: dict[str, object]):
    partial = REPORT.model_copy(update=change)
    assert str(escape(REPORT.sentence)) in html.render(partial)
    assert str(escape(REPORT.sentence)) in html.fragment(partial)
    assert printed(partial).rstrip().endswith("0.065).")


def test_nothing_run_still_makes_a_page():
    assert "Further right is worse" not in html.render(without_rows())
    assert "<table" not in html.fragment(without_rows())


def test_one_repeat_has_no_spread(page: str):
    rows = []
    for row in REPORT.rows:
        single = {name: part.model_copy(update={"sd": None}) for name, part in row.measurements.items()}
        rows.append(row.model_copy(update={"measurements": single}))
    assert "± 0." in page
    assert "± " not in html.render(REPORT.model_copy(update={"rows": rows}))


def test_fragment_is_static():
    said = html.fragment(REPORT)
    assert "<script" not in said
    assert str(escape(REPORT.sentence)) in said
    assert said.count("<tr>") == 1 + len(REPORT.rows)


# ---- what the pictures hold


def test_intervals_show_each_difference_on_the_side_it_has():
    drawn = figures.intervals(REPORT)
    placed = {}
    for trace in drawn["data"]:
        below, above = trace["error_x"]["arrayminus"], trace["error_x"]["array"]
        placed |= dict(zip(trace["y"], zip(trace["x"], below, above, strict=True), strict=True))
    rows = [row for row in REPORT.rows if row.difference or row.key == REPORT.recommended]
    assert len(placed) == len(rows)
    for place, row in enumerate(rows):
        mean, below, above = placed[place]
        if row.difference:
            assert (mean, mean - below, mean + above) == pytest.approx(
                (row.difference.mean, row.difference.low, row.difference.high)
            )
        else:
            assert (mean, below, above) == (0, 0, 0)


def test_far_away_baselines_do_not_hide_the_candidates():
    low, high = figures.intervals(REPORT)["layout"]["xaxis"]["range"]
    candidates = [row.difference for row in REPORT.rows if row.difference and row.role == "candidate"]
    assert high < 0.3
    assert all(low < gap.low and gap.high < high for gap in candidates)
    assert len(figures.intervals(REPORT)["layout"]["annotations"]) == 2


def test_a_baseline_ahead_of_the_best_candidate_is_in_sight():
    ahead = Difference(versus=REPORT.rows[0].key, mean=-0.03, low=-0.04, high=-0.02, p=0.001, p_holm=0.01, repeats=5)
    rows = [row.model_copy(update={"difference": ahead}) if row.key == "pca" else row for row in REPORT.rows]
    low, _ = figures.intervals(REPORT.model_copy(update={"rows": rows}))["layout"]["xaxis"]["range"]
    assert low < -0.04


def test_only_chosen_learning_rates_are_solid():
    traces = figures.curves(REPORT, figures.Detail())["rows"]["mse"]
    solid = [trace for trace in traces if trace["opacity"] == 1]
    assert len(traces) == 5 * 3 * 2
    assert len(solid) == 5 * 2
    assert all("learning rate 0.001" in trace["hovertemplate"] for trace in solid)


def test_training_losses_begin_where_their_first_epoch_ended():
    curve = Curve(repeat=0, lr=1e-3, train=[3.0, 2.0], valid=[4.0, 3.5, 2.5], best_epoch=2, chosen=True)
    report = REPORT.model_copy(update={"rows": [REPORT.row("mse").model_copy(update={"curves": [curve]})]})
    train, valid = figures.curves(report, figures.Detail())["rows"]["mse"]
    assert dict(zip(train["x"], train["y"], strict=True)) == {0: None, 1: 3.0, 2: 2.0}
    assert dict(zip(valid["x"], valid["y"], strict=True)) == {0: 4.0, 1: 3.5, 2: 2.5}


def test_no_unit_is_shown_where_there_is_none(page: str):
    assert "1 (-1 to 1)" not in page
    assert "1 (-1 to 1)" not in printed(REPORT)
    assert "(log1p CP10k)²" in page


def test_thinned_curves_keep_both_ends_and_the_best_epoch():
    curve = Curve(repeat=0, lr=1e-3, train=[1.0] * 500, valid=[1.0] * 500, best_epoch=123, chosen=True)
    row = REPORT.row("mse").model_copy(update={"curves": [curve]})
    report = REPORT.model_copy(update={"rows": [row]})
    train, _ = figures.curves(report, figures.Detail(epochs=40))["rows"]["mse"]
    assert {0, 123, 499} <= set(train["x"])
    assert len(train["x"]) <= 41


def test_labels_are_told_apart_and_rare_ones_join():
    labels = [str(n // 2) for n in range(80)]
    entries = figures.legend(REPORT.model_copy(update={"picture_labels": labels}))
    assert len(entries) == figures.MOST_LABELS
    assert len({(entry["colour"], entry["symbol"]) for entry in entries}) == len(entries)
    assert sum(entry["count"] for entry in entries) == 80


def test_the_recommended_row_and_a_baseline_are_pictured_first():
    last = [row for row in REPORT.rows if row.key != "pca"] + [REPORT.row("pca")]
    keys = figures.panels(REPORT.model_copy(update={"rows": last, "recommended": "mse"}))
    assert keys[0] == "mse"
    assert "pca" in keys
    assert len(keys) == figures.PANELS


# ---- the table


def test_the_deciding_yardstick_is_first_and_the_best_is_marked():
    first, *others = table.columns(REPORT)
    assert (first.yardstick.name, first.deciding) == (REPORT.goal.yardstick, True)
    assert not any(column.deciding for column in others)
    for column in [first, *others]:
        means = {key: cell.value for key, cell in column.cells.items()}
        better = {True: max, False: min}.get(column.yardstick.higher_is_better)
        expected = {key for key, mean in means.items() if mean == better(means.values())} if better else set()
        assert {key for key, cell in column.cells.items() if cell.best} == expected


def test_one_exploded_row_does_not_blur_the_others():
    measured = [Measurement(mean=m, sd=None, values=[m]) for m in (0.1234, 0.1239, 3e12)]
    rows = [Row(key=str(n), title="t", role="candidate", model="m", verdict="worse", measurements={"mse": m}, trials=[],
                repeats=[0]) for n, m in enumerate(measured)]  # fmt: skip
    cells = table.columns(REPORT.model_copy(update={"rows": rows}))[1].cells
    assert [cell.text for cell in cells.values()] == ["0.1234", "0.1239", "3.00e+12"]


@given(st.floats(-1e15, 1e15), st.integers(0, 6))
def test_a_number_reads_back_as_it_was(value: float, places: int):
    read = float(table.number(value, places))
    assert read == pytest.approx(value, abs=0.5 * 10.0**-places + 1e-12, rel=6e-3)


# ---- what went wrong inside


def without_findings() -> Document:
    """As written before trainings told what they saw."""
    old = json.loads(REPORT.model_dump_json())
    for row in old["rows"]:
        del row["findings"]
    return Document.model_validate(old)


def inside_section(report: Document) -> str:
    return re.search(r'(?s)<section id="inside".*?</section>', html.render(report))[0]


def test_the_page_tells_what_went_wrong_the_losers_first():
    said = inside_section(REPORT)
    places = [said.index(f"{part}") for part in ("Laplace<small", "Exploding gradients", "mae<small", "Saturated units",
                                                  "Output range", "Nothing went wrong inside in Huber")]  # fmt: skip
    assert places == sorted(places)
    assert "in 2 of 5 repeats, from epoch 3" in said
    assert "0.81 share of units, threshold 0.5" in said
    assert "&lt;the largest&gt;" in said
    assert "2 more looked at and found fine" in said
    assert "Dead ReLU units" not in said
    assert "2 things looked at in each, all fine" in said
    assert '<a href="#inside">' in html.render(REPORT)


def test_the_page_says_plainly_that_nothing_went_wrong():
    sound = [row for row in REPORT.rows if row.key not in ("mae", "laplace")]
    said = inside_section(REPORT.model_copy(update={"rows": sound}))
    assert "Nothing went wrong inside in" in said
    assert "<table" not in said


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_lists_what_must_be_acted_on_with_the_remedy(width: int):
    said = " ".join(printed(REPORT, width, gate=False).split())
    assert "Laplace Exploding gradients (decoder 2): 3.1e+09, threshold 1e+03, in 5 of 5 repeats. Lower the" in said
    assert "mae Saturated units (output): 0.81 share of units, threshold 0.5, in 2 of 5 repeats. Use a linear" in said
    assert "Output range" not in said
    sound = REPORT.model_copy(update={"rows": [REPORT.row("mse")]})
    assert "Nothing went wrong inside that must be acted on." in printed(sound)


def test_the_terminal_lists_few_of_many():
    many = [finding for finding in REPORT.row("mae").findings if finding.verdict == "act"] * 9
    report = REPORT.model_copy(update={"rows": [REPORT.row("mae").model_copy(update={"findings": many})]})
    assert printed(report).count("Saturated units") == 6
    assert "and 3 more: losslens diagnose" in printed(report)


def test_results_without_findings_are_read_and_say_nothing_of_them():
    old = without_findings()
    assert old.row("mae").findings == []
    assert 'id="inside"' not in html.render(old)
    assert "went wrong" not in html.render(old)
    assert "went wrong" not in printed(old)


def trial(repeat: int, *findings: Finding) -> TrialResult:
    spec = TrialSpec(data="d", transform=TransformSpec(name="none"), split=SplitSpec(repeat=repeat), model=ModelSpec())
    return TrialResult(spec=spec, status="ok", findings=findings)


def test_repeats_are_joined_to_the_worst_verdict_and_the_median_of_those_with_it():
    def seen(verdict: str, value: float, epoch: int, where: str = "a") -> Finding:
        return Finding(name="dead_units", verdict=verdict, value=value, unit="share", threshold=0.5, epoch=epoch,
                       where=where, reason=f"{value}", remedy="r",
                       change={"training.learning_rates": (value,)})  # fmt: skip

    results = [trial(4, seen("act", 0.8, 3), seen("fine", 0.1, 0, "b")), trial(0, seen("fine", 0.2, 0)),
               trial(1, seen("watch", 0.6, 2), seen("fine", 0.3, 0, "b")), trial(2, seen("act", 0.9, 5))]  # fmt: skip
    first, second = gather(results)
    assert (first.verdict, first.repeats, first.looked, first.epoch) == ("act", [1, 2, 4], 4, 2)
    assert first.value == pytest.approx(0.85)
    assert (first.worst, first.often) == ([2, 4], "3 of 4 repeats (act in 2)")
    assert (first.reason, first.change, first.title) == ("0.8", {"training.learning_rates": [0.8]}, "Dead ReLU units")
    assert (second.where, second.verdict, second.repeats, second.looked, second.epoch) == ("b", "fine", [], 2, None)
    assert second.value == pytest.approx(0.2)
    assert RowFinding.model_validate_json(first.model_dump_json()) == first


# ---- code sizes, posteriors, models of counts


def test_a_report_of_code_sizes_survives_the_round_trip():
    assert Document.model_validate_json(SWEPT.model_dump_json()) == SWEPT


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_terminal_shows_the_size_that_is_judged_and_a_line_for_each_curve(width: int):
    said = printed(SWEPT, width, gate=False)
    lines = said.splitlines()
    assert max(len(line) for line in lines if line != SWEPT.code) <= width
    assert "Held-out scores at a code size of 16" in said
    assert ", code 8" not in said
    assert ", code 32" not in said
    scores = lines[: lines.index("Code sizes, by R², hidden values")]
    assert sum(line.startswith("mse with PCA path ") for line in scores) == 1
    sizes = lines[lines.index("Code sizes, by R², hidden values") :]
    line = next(line for line in sizes if line.startswith("mse with PCA path"))
    assert line.split("path")[1].split()[:5] == ["0.250", "0.300", "0.250", "16", "[16,"]


def test_a_narrow_terminal_leaves_out_active_units_first():
    assert "7, 14, 28" in printed(SWEPT, 80, gate=False)
    assert "7, 14, 28" not in printed(SWEPT, 60, gate=False)
    assert "16 [16, 32]" in printed(SWEPT, 60, gate=False)


def test_the_terminal_tells_the_kl_weight_of_every_variational_row():
    said = " ".join(printed(SWEPT, gate=False).split())
    assert "KL weight beside half the squared error (1: an evidence lower bound): 0.02 for mse, variational" in said
    assert "(3 of 16 units active)" in said
    (each,) = SWEPT.divergences
    unknown = SWEPT.model_copy(update={"divergences": [each.model_copy(update={"kl_weight": None})]})
    assert "no common scale for mse, variational" in printed(unknown, 200)
    assert "KL weight" not in printed(REPORT)


def test_verdicts_on_counts_are_printed_and_on_the_page():
    page = html.render(SWEPT)
    for check in SWEPT.checks:
        assert check.verdict in printed(SWEPT, 200)
        assert check.verdict in page
    assert "What the count models expect" not in html.render(REPORT)
    assert "What the count models expect" not in printed(REPORT)


def test_the_page_names_weights_and_knees():
    page = html.render(SWEPT)
    assert len(page.encode()) < 2_200_000
    table_of_sizes = re.search(r'(?s)<table class="facts sizes">.*?</table>', page)[0]
    assert table_of_sizes.count("16 [16, 32]") == 3
    assert "7, 14, 28" in table_of_sizes
    posteriors = re.search(r'(?s)<section id="posteriors".*?</section>', page)[0]
    assert '0.02 <span class="note">weak</span>' in posteriors
    assert '3 of 16 <span class="note">collapsed</span>' in posteriors
    scores = re.search(r'(?s)<table class="scores".*?</table>', page)[0]
    assert scores.count("<tr>") == 1 + len(table.standing(SWEPT))
    for part in ("sizes", "posteriors", "expect"):
        assert f'<a href="#{part}">' in page
        assert f'id="{part}"' in page
        assert f'id="{part}"' not in html.render(REPORT)


def test_curves_over_sizes_hold_every_yardstick_and_their_ends():
    drawn = json.loads(payload(html.render(SWEPT)))["sizes"]
    assert drawn["sizes"] == [8, 16, 32]
    assert [curve["key"] for curve in drawn["curves"]] == ["mse@pca_path", "mse", "pca"]
    for curve, told in zip(drawn["curves"], SWEPT.sweep.curves, strict=True):
        assert curve["knee"] == [1, 1, 2]
        for place, point in enumerate(told.points):
            assert curve["judged"][place] == pytest.approx(point.mean, rel=1e-3)
            assert curve["judged"][place] + curve["above"][place] == pytest.approx(point.high, rel=1e-2)
            assert curve["judged"][place] - curve["below"][place] == pytest.approx(point.low, rel=1e-2)
            for name, means in curve["means"].items():
                found = SWEPT.row(point.row).measurements.get(name)
                assert means[place] == (None if found is None else pytest.approx(found.mean, rel=1e-3))
    assert model_figures.sizes(REPORT) is None


def test_logarithmic_axes_hold_no_zero():
    drawn = model_figures.checks(SWEPT, figures.Detail())
    assert list(drawn["rows"]) == [check.row for check in SWEPT.checks]
    row = drawn["rows"][SWEPT.checks[0].row]
    assert SWEPT.checks[0].variance_expected[0] == 0.0
    assert row["variance_expected"][0] is None
    assert row["note"] == "200 of 2,000 features and 150 of 383 profiles"


def test_a_page_without_room_for_pictures_keeps_the_verdicts():
    page = html._page(SWEPT, html.DETAILS[-1], html.plotly_js(False), False)
    assert 'id="choose-check"' not in page
    assert SWEPT.checks[0].verdict in page


@pytest.mark.parametrize("change", [
    {"sweep": SWEPT.sweep.model_copy(update={"curves": []})}, {"checks": []}, {"divergences": []},
    {"sweep": SWEPT.sweep.model_copy(update={"curves": [
        curve.model_copy(update={"knee": None, "low": None, "high": None}) for curve in SWEPT.sweep.curves]})},
    {"recommended": None},
])  # fmt: skip
def test_parts_of_models_may_be_missing(change: dict[str, object]):
    partial = SWEPT.model_copy(update=change)
    assert str(escape(SWEPT.sentence)) in html.render(partial)
    assert str(escape(SWEPT.sentence)) in html.fragment(partial)
    assert printed(partial).rstrip().endswith("0.065).")


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(schema(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
