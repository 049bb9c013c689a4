"""The page in a real browser, opened from a file: drawn, silent, and asking nothing of the network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import browser
from tests.report_fixture import document, swept

from losslens.report import html
from losslens.report.document import Document

REPORT, SWEPT = document(), swept()
# What the page itself tells after it has been drawn, written into it where the dumped document shows it.
PROBE = """
<script>
addEventListener("load", () => setInterval(() => {
  const count = (what) => document.querySelectorAll(what).length;
  const heading = document.querySelector("h1").getBoundingClientRect();
  document.documentElement.dataset.probe = JSON.stringify({
    drawn: document.documentElement.dataset.drawn === "yes", plots: count(".js-plotly-plot .main-svg"),
    points: count(".js-plotly-plot .scatterlayer .point"), lines: count("#plot-curves .scatterlayer .js-line"),
    bars: count("#plot-example .barlayer .point"), intervals: count("#plot-intervals .xerror"),
    panels: [...document.querySelectorAll(".panel")].map((panel) => panel.querySelectorAll(".point").length),
    sizes: [...document.querySelectorAll("#sizes .plot")].map((plot) => plot.querySelectorAll(".trace").length),
    bars_of_sizes: count("#sizes .yerror"), knees: count("#sizes .shapelayer path"),
    expected: [...document.querySelectorAll("#expect .plot")].map((plot) => plot.querySelectorAll(".point").length),
    verdict: document.getElementById("check-verdict")?.textContent ?? "",
    sentence: heading.width * heading.height, width: document.documentElement.scrollWidth,
    warned: !document.getElementById("undrawn").hidden,
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
  });
}, 500));
</script>
"""


@dataclass(frozen=True)
class Visit(browser.Visit):
    """What happened while a report was open."""

    def check(self) -> None:
        """Refuse a page that wrote to the console, asked the network, or was not drawn."""
        assert self.console == [], self.console
        assert self.requests == [], self.requests
        assert self.probe["drawn"]
        assert not self.probe["warned"]


def visit(page: str, folder: Path, *options: str) -> Visit:
    """Open a report from a file, with the script that tells what was drawn."""
    path = folder / "report.html"
    path.write_text(page.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    seen = browser.visit(path, folder / "profile", *options)
    return Visit(seen.console, seen.requests, seen.dom, seen.probe)


@pytest.fixture(scope="module")
def page() -> str:
    return html.render(REPORT)


@pytest.fixture(scope="module")
def opened(page: str, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return visit(page, tmp_path_factory.mktemp("browser"), "--window-size=1200,900")


def test_silent_and_offline(opened: Visit):
    opened.check()


def test_every_picture_is_drawn(opened: Visit):
    probe = opened.probe
    assert probe["intervals"] == 13
    assert probe["lines"] == 5 * 3 * 2
    assert probe["bars"] == 60
    assert probe["panels"] == [400] * 6
    assert probe["points"] > 6 * 400
    assert probe["plots"] >= 10


def test_the_sentence_is_in_sight(opened: Visit):
    assert REPORT.sentence in opened.dom
    assert opened.probe["sentence"] > 10_000


def test_a_phone_scrolls_only_downwards(page: str, tmp_path: Path):
    seen = visit(page, tmp_path, "--window-size=500,900")
    seen.check()
    assert seen.probe["width"] <= 500


def test_uncompressed_page(tmp_path: Path):
    visit(html.render(REPORT, plain_js=True), tmp_path).check()


def test_controls_work(page: str, tmp_path: Path):
    """Every control once, on a dark page: each dropdown, hiding a label, sorting."""
    act = """
    <script>
    addEventListener("load", async () => {
      while (document.documentElement.dataset.drawn !== "yes") await new Promise((go) => setTimeout(go, 50));
      for (const select of document.querySelectorAll("select")) {
        select.selectedIndex = select.options.length - 1;
        select.onchange();
      }
      document.querySelector(".legend button").click();
      const heads = [...document.querySelectorAll("#table thead button")];
      heads.find((head) => head.textContent.startsWith("MSE")).click();
      await new Promise((go) => setTimeout(go, 300));
      const row = document.querySelector("#table tbody tr th").firstChild.textContent;
      document.documentElement.dataset.sorted = row;
    });
    </script>
    """
    seen = visit(page.replace("</body>", f"{act}</body>"), tmp_path, "--blink-settings=preferredColorScheme=0")
    seen.check()
    assert 'data-sorted="cosine plus mse · PCA path"' in seen.dom
    assert seen.probe["bars"] == 60
    [(_, hidden)] = Counter(REPORT.picture_labels or []).most_common(1)
    assert seen.probe["panels"] == [400 - hidden] * 6


CHOOSE = """
<script>
addEventListener("load", async () => {
  while (document.documentElement.dataset.drawn !== "yes") await new Promise((go) => setTimeout(go, 50));
  for (const id of ["choose-size", "choose-yardstick", "choose-check"]) {
    const select = document.getElementById(id);
    select.selectedIndex = select.options.length - 1;
    select.onchange();
  }
});
</script>
"""


@pytest.fixture(scope="module")
def sizes() -> str:
    return html.render(SWEPT)


@pytest.mark.parametrize("width", [1200, 500])
def test_code_sizes_and_expected_counts_are_drawn(width: int, sizes: str, tmp_path: Path):
    seen = visit(sizes, tmp_path, f"--window-size={width},900")
    seen.check()
    assert seen.probe["width"] <= width
    assert seen.probe["sizes"] == [3, 3, 4]  # the third with the line of every unit
    assert seen.probe["bars_of_sizes"] == 3  # of the chosen candidate, at each size
    assert seen.probe["knees"] == 2 + 1 + 1  # a line in each panel, and the interval
    assert seen.probe["expected"] == [200, 200 + 199, 150]
    assert seen.probe["verdict"].startswith(SWEPT.checks[0].verdict)
    assert "200 of 2,000 features" in seen.probe["verdict"]


def test_another_candidate_yardstick_and_model_can_be_chosen(sizes: str, tmp_path: Path):
    """On a dark page, from one end of every list to the other."""
    seen = visit(sizes.replace("</body>", f"{CHOOSE}</body>"), tmp_path, "--blink-settings=preferredColorScheme=0")
    seen.check()
    assert seen.probe["sizes"] == [3, 3, 4]
    assert seen.probe["bars_of_sizes"] == 3
    assert "Variance, gap" in re.search(r'(?s)id="plot-sizes-other".*?id="plot-sizes-active"', seen.dom)[0]
    assert seen.probe["expected"] == [200, 200 + 199, 150]


def test_code_sizes_on_an_uncompressed_page(tmp_path: Path):
    visit(html.render(SWEPT, plain_js=True), tmp_path).check()


@pytest.mark.parametrize("report", [
    SWEPT.model_copy(update={"sweep": SWEPT.sweep.model_copy(update={"curves": []}), "checks": []}),
    SWEPT.model_copy(update={"sweep": SWEPT.sweep.model_copy(update={"curves": [
        curve.model_copy(update={"knee": None, "low": None, "high": None,
                                 "points": [p.model_copy(update={"low": None, "high": None}) for p in curve.points]})
        for curve in SWEPT.sweep.curves]})}),
], ids=["no curves", "one split"])  # fmt: skip
def test_parts_of_models_may_be_missing(report: Document, tmp_path: Path):
    visit(html.render(report), tmp_path).check()


@pytest.mark.parametrize("report", [
    REPORT.model_copy(update={"rows": [], "recommended": None, "examples": [], "pictures": [], "picture_labels": None}),
    REPORT.model_copy(update={"picture_labels": None, "examples": [],
                              "rows": [row.model_copy(update={"difference": None}) for row in REPORT.rows]}),
], ids=["nothing run", "no labels, nothing compared"])  # fmt: skip
def test_parts_may_be_missing(report: Document, tmp_path: Path):
    visit(html.render(report), tmp_path).check()


def test_a_browser_that_cannot_unpack_says_so(page: str, tmp_path: Path):
    old = page.replace("<head>", "<head><script>delete window.DecompressionStream</script>", 1)
    seen = visit(old, tmp_path)
    assert seen.probe["warned"]
    assert "cannot unpack compressed data" in seen.dom
    assert seen.console == []


# ---- the checks above reject pages that they must reject

CSP = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')


def error(page: str) -> str:
    planted = "console.error('planted'); setTimeout(() => { throw new Error('thrown'); }, 500);"
    return page.replace("</body>", f"<script>{planted}</script></body>")


def request(page: str) -> str:
    late = "<script>setTimeout(() => fetch('http://planted.invalid/data').catch(() => 0), 500)</script></body>"
    return CSP.sub("", page).replace("</body>", late)


def undrawn(page: str) -> str:
    return re.sub(r'(id="figures">)[^<]{20}', r"\1", page)


@pytest.mark.parametrize("mutant", [error, request, undrawn])
def test_a_bad_page_is_rejected(mutant: Callable[[str], str], page: str, tmp_path: Path):
    seen = visit(mutant(page), tmp_path)
    with pytest.raises(AssertionError):
        seen.check()
    if mutant is request:
        assert any("planted.invalid" in address for address in seen.requests)
    elif mutant is error:
        said = " ".join(seen.console)
        assert "planted" in said
        assert "thrown" in said


def test_the_page_forbids_requests_itself(page: str, tmp_path: Path):
    """Even a planted image is not fetched: the page's own policy stops it, and says so on the console."""
    planted = page.replace("</body>", '<img src="http://planted.invalid/pixel.png" alt=""></body>')
    seen = visit(planted, tmp_path)
    assert not any("planted.invalid" in address for address in browser.network(tmp_path / "report.html.net.json"))
    assert any("Content Security Policy" in line for line in seen.console)


def test_no_browser_fails_only_where_one_is_required(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOSSLENS_BROWSER", "no-such-browser")
    monkeypatch.setattr(browser, "REQUIRED", False)
    with pytest.raises(pytest.skip.Exception, match="no browser found"):
        browser.browser()
    monkeypatch.setattr(browser, "REQUIRED", True)
    with pytest.raises(pytest.fail.Exception, match="no browser found"):
        browser.browser()
