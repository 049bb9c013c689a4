"""The whole catalogue as HTML and as Markdown: complete, linked, drawn, silent, and as committed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import pytest
from tests import browser
from tests.small_runs import call

from losslens.activations import ACTIVATIONS
from losslens.faces.pages import drawing, html, markdown
from losslens.faces.pages.catalogue import Group, groups
from losslens.faces.pages.curves import Curves, Line
from losslens.faces.pages.files import write
from losslens.faces.pages.page import page
from losslens.losses import LOSSES

COMMITTED = Path(__file__).parent.parent / "docs" / "catalogue"
MEMBERS = [*LOSSES, *ACTIVATIONS]
Files = dict[str, str]


@pytest.fixture(scope="module")
def found() -> list[Group]:
    return groups()


@pytest.fixture(scope="module")
def site(found: list[Group]) -> Files:
    return html.catalogue(found)


@pytest.fixture(scope="module")
def pages(found: list[Group]) -> Files:
    return markdown.catalogue(found)


@pytest.fixture(scope="module")
def folder(site: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("site")
    write(written, site)
    return written


# ---- what there is


def test_every_member_has_its_files(site: Files, pages: Files):
    assert len(set(MEMBERS)) == len(MEMBERS)
    assert set(site) == {"index.html", "activations.svg", *(f"{name}.html" for name in MEMBERS)}
    pictures = {f"pictures/{name}.svg" for name in (*MEMBERS, "activations")}
    assert set(pages) == {"README.md", *(f"{name}.md" for name in MEMBERS), *pictures}


def test_pages_tell_what_entries_say(site: Files, pages: Files):
    for name in MEMBERS:
        entry = LOSSES.get(name) or ACTIVATIONS[name]
        for text in (entry.use, entry.failure):
            assert html._prose(text, str) in site[f"{name}.html"]
            assert text in pages[f"{name}.md"]
        assert f"```math\n{page(name).formula}" in pages[f"{name}.md"]


def test_formulas_become_mathml_to_the_last_command(site: Files):
    for name in MEMBERS:
        formulas = re.findall(r"<math.*?</math>", site[f"{name}.html"], re.DOTALL)
        assert len(formulas) >= 1, name
        assert not [formula for formula in formulas if "\\" in formula], name
        for formula in formulas:
            ElementTree.fromstring(formula)


class Links(HTMLParser):
    """What a page refers to, and its marks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.to: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self.to += [facts[name] or "" for name in ("href", "src") if name in facts]
        self.ids += [facts["id"] or ""] if "id" in facts and tag != "clippath" else []


def test_links_of_the_site_lead_somewhere_and_back(site: Files):
    reached = set()
    for name, text in site.items():
        if name.endswith(".html"):
            links = Links(text)
            assert len(links.ids) == len(set(links.ids)), f"a mark given twice in {name}"
            inner = [link for link in links.to if link != "data:,"]
            assert all(link in site for link in inner), (name, [link for link in inner if link not in site])
            assert name == "index.html" or "index.html" in inner
            reached |= set(inner) if name == "index.html" else set()
    assert {f"{name}.html" for name in MEMBERS} <= reached


def test_links_of_the_markdown_lead_somewhere_and_back(pages: Files):
    for name, text in pages.items():
        if name.endswith(".md"):
            links = re.findall(r"\]\(([^)]*)\)", re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL))
            missing = [link for link in links if str(PurePosixPath(link)) not in pages]
            assert not missing, (name, missing)
            assert name == "README.md" or {"README.md", f"pictures/{name.removesuffix('.md')}.svg"} <= set(links)
    listed = re.findall(r"^\| \[(\w+)\]", pages["README.md"], re.MULTILINE)
    assert sorted(listed) == sorted(MEMBERS)


def test_one_page_stands_alone(tmp_path: Path):
    path = tmp_path / "cosine.html"
    assert call("show", "cosine", "--html", path).status == 0
    text = path.read_text("utf-8")
    assert Links(text).to == ["data:,"]
    assert "<math" in text
    assert text.count("<svg") == 4
    assert call("show", "cosine", "--html", path, "--json").out.strip() == f'{{\n "output": "{path}"\n}}'


# ---- pictures


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def paths(svg: str) -> list[list[float]]:
    """The curves of a picture, in its own coordinates."""
    drawn = [
        e
        for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")
        if "1.8" in (e.get("style") or "")
    ]
    return [numbers(e.get("d") or "") for e in drawn]


def test_a_picture_shows_the_numbers():
    """A straight line of slope 2 and a parabola, read back from their picture by the ends of the line."""
    at = [step / 60.0 - 1.0 for step in range(121)]
    lines = (Line("line", tuple(2.0 * x for x in at), (2.0,) * 121), Line("bow", tuple(x * x for x in at), tuple(at)))
    svg = drawing.panel(Curves("x", -1.0, 1.0, lines), "value")
    straight, bow = paths(svg)
    assert len(straight) < 10, "a straight line needs few points"
    assert len(bow) > 20
    (left, bottom), (right, top) = straight[:2], straight[-2:]
    for x, y in zip(bow[::2], bow[1::2], strict=True):
        across = 2.0 * (x - left) / (right - left) - 1.0
        up = -2.0 + 4.0 * (bottom - y) / (bottom - top)
        assert up == pytest.approx(across * across, abs=0.02)


def test_tips_are_cut_off_only_where_all_else_would_be_flat():
    tame = tuple(float(step) for step in range(121))
    for first, inside in ((0.0, True), (300.0, True), (1e6, False)):
        values = (first, *tame[1:])
        [drawn] = paths(drawing.panel(Curves("x", 0.0, 1.0, (Line("", values, values),)), "value"))
        assert (min(drawn[1::2]) > 0.0) == inside
        seen = [height for height in drawn[1::2] if height > 0.0]
        assert max(seen) - min(seen) > 20.0, "what is not a tip is flat"


@pytest.mark.parametrize("draw", [drawing.sheet, lambda page: drawing.thumbnail(page.curves[0])])
def test_pictures_are_the_same_again_and_read_on_any_ground(draw: Callable[..., str]):
    svg = draw(page("negative_binomial"))
    assert svg == draw(page("negative_binomial"))
    ElementTree.fromstring(svg)
    assert "fill: #ffffff" not in svg
    colours = set(re.findall(r"#[0-9a-f]{6}\b", svg))
    assert colours <= {drawing.INK, *drawing.COLOURS}
    for colour in colours:
        assert min(contrast(colour, ground) for ground in ("#ffffff", "#0d1117")) > 3.0, colour


def contrast(one: str, other: str) -> float:
    """Of two colours, as the Web Content Accessibility Guidelines define it."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255.0 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_overview_shows_every_activation_twice(site: Files):
    svg = site["activations.svg"]
    labels = {e.text for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert set(ACTIVATIONS) | {"activation", "derivative"} <= labels
    for colour in drawing.COLOURS[:2]:
        assert svg.count(f"stroke: {colour}") == len(ACTIVATIONS) + 1  # and in the legend


# ---- the committed pages


def alike(one: str, other: str) -> bool:
    """Pictures of the same words and shapes, whose numbers agree to what the last bit of a curve may move."""
    blank = [re.sub(r"-?\d+(?:\.\d+)?|#\w+|url\(\S+\)", "0", text) for text in (one, other)]
    pairs = zip(numbers(re.sub(r"#\w+", "", one)), numbers(re.sub(r"#\w+", "", other)), strict=False)
    return blank[0] == blank[1] and all(abs(a - b) < 0.15 for a, b in pairs)


def test_committed_pages_are_those_of_the_entries(pages: Files):
    remedy = f"run: {markdown.COMMAND}"
    committed = {path.relative_to(COMMITTED).as_posix() for path in COMMITTED.rglob("*") if path.is_file()}
    assert committed == set(pages), remedy
    for name, text in pages.items():
        written = (COMMITTED / name).read_text("utf-8")
        assert alike(written, text) if name.endswith(".svg") else written == text, f"{name} differs; {remedy}"


def test_a_changed_picture_is_noticed(pages: Files):
    svg = pages["pictures/mse.svg"]
    [first] = {numbers(d)[2] for d in re.findall(r' d="([^"]*)"', svg)[-1:]}
    assert not alike(svg, svg.replace(f" {first:g} ", f" {first + 5.0:g} "))
    assert not alike(svg, svg.replace("output - target", "output"))
    assert not alike(svg, svg.replace(drawing.COLOURS[0], "none"))


def test_committed_pictures_are_small(pages: Files):
    sizes = {name: len(text) for name, text in pages.items() if name.endswith(".svg")}
    assert max(size for name, size in sizes.items() if name != "pictures/activations.svg") < 22_000
    assert sum(sizes.values()) < 1_200_000


# ---- the command


def test_the_command_writes_the_folder(site: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(html, "catalogue", lambda _: {"index.html": "index", "deep/er.svg": "picture"})
    done = call("catalogue", "-o", tmp_path / "a" / "b")
    assert done.status == 0, done.err
    assert "begin with" in done.out
    assert sorted(p.name for p in (tmp_path / "a" / "b").rglob("*") if p.is_file()) == ["er.svg", "index.html"]
    assert '"files": 2' in call("catalogue", "-o", tmp_path / "a" / "b", "--json").out


def test_a_place_that_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(html, "catalogue", lambda _: {"index.html": "index"})
    (tmp_path / "taken").write_text("mine", "utf-8")
    done = call("catalogue", "-o", tmp_path / "taken")
    assert done.status == 2
    assert "a place that can be written to" in done.err
    assert (tmp_path / "taken").read_text("utf-8") == "mine"
    done = call("show", "mse", "--html", tmp_path)
    assert done.status == 2
    assert not list(tmp_path.parent.glob(".*.partial"))


@pytest.mark.parametrize("library", ["matplotlib", "latex2mathml"])
def test_without_the_extra_it_says_how_to_get_it(library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    done = call("show", "cosine", "--html", tmp_path / "cosine.html")
    assert done.status == 2
    assert "pip install 'losslens[pages]'" in done.err
    assert not list(tmp_path.iterdir())
    assert call("show", "cosine").status == 0


# ---- in a browser

PROBE = """
<script>
addEventListener("load", () => setInterval(() => {
  const count = (what) => document.querySelectorAll(what).length;
  const box = (element) => element.getBoundingClientRect();
  document.documentElement.dataset.probe = JSON.stringify({
    width: document.documentElement.scrollWidth,
    formulas: [...document.querySelectorAll("math[display=block]")].map((math) => [box(math).width, box(math).height]),
    pictures: [...document.querySelectorAll("svg")].filter((svg) => box(svg).width > 50 && box(svg).height > 20).length,
    shown: [...document.querySelectorAll("[data-words]:not([hidden]) b")].map((name) => name.textContent),
    groups: count(".group:not([hidden])"), told: document.getElementById("count")?.textContent,
    nothing: document.getElementById("nothing")?.hidden === false,
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
  });
}, 300));
</script>
"""


def opened(folder: Path, name: str, *options: str, act: str = "") -> browser.Visit:
    """A page of the site with the script that tells what is there, after an action of the reader."""
    text = (folder / name).read_text("utf-8")
    script = f"<script>addEventListener('load', () => {{ {act} }});</script>"
    path = folder / f"visited-{name}"
    path.write_text(text.replace("</body>", f"{script}{PROBE}</body>"), "utf-8")
    seen = browser.visit(path, folder / "profile", *options)
    assert seen.console == [], seen.console
    assert seen.requests == [], seen.requests
    return seen


def typed(words: str) -> str:
    return f"const it = document.getElementById('search'); it.value = '{words}'; it.dispatchEvent(new Event('input'));"


def test_the_index_in_a_browser(folder: Path):
    seen = opened(folder, "index.html", "--window-size=1200,900").probe
    assert len(seen["shown"]) == len(MEMBERS)
    assert seen["pictures"] == len(MEMBERS) + 1
    assert not seen["nothing"]


@pytest.mark.parametrize("words", ["median", "Counts poisson", "no such member"])
def test_the_search_filters(folder: Path, found: list[Group], words: str):
    seen = opened(folder, "index.html", act=typed(words)).probe
    hit = [
        page.name
        for group in found
        for page in group.pages
        if all(word in html.words(page) for word in words.lower().split())
    ]
    assert seen["shown"] == hit
    assert seen["groups"] == len({page.family for group in found for page in group.pages if page.name in hit})
    assert seen["told"] == f"{len(hit)} of {len(MEMBERS)}"
    assert seen["nothing"] == (not hit)
    assert ("mae" in hit) == (words == "median")


@pytest.mark.parametrize(("name", "pictures"), [("cosine", 4), ("kl_gaussians", 4), ("sparsemax", 2)])
def test_a_member_in_a_browser(folder: Path, name: str, pictures: int):
    seen = opened(folder, f"{name}.html", "--blink-settings=preferredColorScheme=0").probe
    assert seen["pictures"] == pictures
    assert len(seen["formulas"]) == len(re.findall(r"<math[^>]*block", (folder / f"{name}.html").read_text("utf-8")))
    assert all(width > 50.0 and height > 15.0 for width, height in seen["formulas"])


@pytest.mark.parametrize("name", ["index.html", "zero_inflated_negative_binomial.html"])
def test_a_phone_scrolls_only_downwards(folder: Path, name: str):
    assert opened(folder, name, "--window-size=500,900").probe["width"] <= 500


def test_a_page_that_asks_the_network_is_noticed(folder: Path):
    act = "document.body.insertAdjacentHTML('beforeend', '<img src=\"http://planted.invalid/pixel.png\">');"
    with pytest.raises(AssertionError, match="Content Security Policy"):
        opened(folder, "mse.html", act=act)
