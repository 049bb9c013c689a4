"""A report as one self-contained page that works offline, and as a fragment for notebooks."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from typing import Any

from losslens.report import courses, figures, inside, model_figures, table
from losslens.report.document import Document, Row, Yardstick
from losslens.report.size_table import size_lines
from losslens.report.templates import environment

LIMIT = 2_200_000
"""Most bytes of a page."""

FULL = figures.Detail()
DETAILS = (
    FULL,
    replace(FULL, epochs=40, examples=12, pictures=20, points=1000, checks=12),
    replace(FULL, epochs=30, faint=False, examples=8, pictures=12, points=500, checks=8),
    replace(FULL, epochs=20, faint=False, examples=4, pictures=6, points=250, checks=4),
    replace(FULL, epochs=10, faint=False, examples=1, pictures=3, points=100, checks=1),
    replace(FULL, epochs=2, faint=False, examples=0, pictures=0, points=0, checks=0),
)
"""What the pictures carry, from all to next to nothing: the first with which the page stays under the limit is used."""

THINNED = (
    "To keep this page under 2.2 MB its pictures show less than was computed (fewer epochs, example profiles or "
    "points). results.json has everything."
)


def render(document: Document, *, plain_js: bool = False) -> str:
    """The whole report as one HTML page under 2.2 MB, without a single request to the network.

    ``plain_js=True`` embeds plotly.js and the figures uncompressed, for browsers older than 2023 that cannot inflate
    them; such a page has about 5 MB.
    """
    library = plotly_js(plain_js)
    limit = LIMIT + (len(library) if plain_js else 0)
    for detail in DETAILS:
        page = _page(document, detail, library, plain_js)
        if len(page.encode()) <= limit:
            break
    return page


def fragment(document: Document) -> str:
    """The sentence and a small table as static HTML without scripts, for a notebook."""
    columns = table.columns(document, digits=3)[:4] if document.rows else []
    return environment().from_string(FRAGMENT).render(_view(document), columns=columns)


def _page(document: Document, detail: figures.Detail, library: str, plain_js: bool) -> str:
    drawn = figures.figures(document, detail) | {
        "sizes": model_figures.sizes(document),
        "checks": model_figures.checks(document, detail),
        "courses": courses.courses(document, detail.epochs),
    }
    data = json.dumps(figures.rounded(drawn), separators=(",", ":"), allow_nan=False)
    return (
        environment()
        .get_template("losslens.report/template.html.j2")
        .render(
            _view(document),
            columns=table.columns(document),
            panels=figures.panels(document) if detail.pictures else [],
            legend=figures.legend(document),
            examples=document.examples[: detail.examples],
            drawn={picture.row for picture in document.pictures[: detail.pictures]},
            checked=[check.row for check in document.checks[: detail.checks]],
            size_lines=size_lines(document),
            inside=inside.inside(document),
            arisen=inside.arisen,
            measured=inside.measured,
            when=inside.when,
            fine_sentence=inside.fine_sentence,
            sound_sentence=inside.sound_sentence,
            readings=courses.readings(document),
            course_lines=courses.course_lines(document),
            course_level=courses.level(document),
            thinned="" if _whole(document, detail) else THINNED,
            library=library,
            data=data.replace("<", "\\u003c") if plain_js else packed(data),
            plain_js=plain_js,
        )
    )


def _view(document: Document) -> dict[str, Any]:
    """What both templates need beside the document itself."""
    places = table.gap_decimals(document)
    return {
        "document": document,
        "best": table.reference(document),
        "called": lambda row: table.called(document, row),
        "behind": lambda row: table.behind(row, places),
        "gap": lambda row: "" if row.difference is None else row.difference.mean,
        "compared": [row for row in document.rows if row.difference],
        "cards": _cards(document),
        "standing": table.standing(document),
        "divergences": [each for each in document.divergences if document.row(each.row) in table.standing(document)],
        "decider": table.deciding(document) if document.rows else None,
        "judges": _judges(document),
        "duration": table.duration,
        "number": table.number,
        "unit": table.unit,
        "slug": lambda verdict: verdict.replace(" ", "-"),
    }


def _judges(document: Document) -> Yardstick | None:
    """The yardstick by which code sizes are judged."""
    return next((y for y in document.yardsticks if document.sweep and y.name == document.sweep.yardstick), None)


def _cards(document: Document) -> list[tuple[str, str, str]]:
    """The key numbers: a name, a value, a line below it."""
    cards = []
    if document.recommended is not None:
        cards += _answer(document, document.row(document.recommended))
    verdicts = [row.verdict for row in table.standing(document) if row.role == "candidate"]
    tied = verdicts.count("tied")
    repeats = max((len(row.repeats) for row in document.rows), default=0)
    data = document.dataset
    return [
        *cards,
        ("Candidates", str(len(verdicts)), f"{tied} tied with the best, {len(document.refused)} refused"),
        ("Data", f"{data.samples:,} × {data.features:,}", f"samples × features, {data.kind}"),
        ("Repeats", str(repeats), f"{table.duration(document.seconds)} in all"),
    ]


def _answer(document: Document, row: Row) -> list[tuple[str, str, str]]:
    yardstick = table.deciding(document)
    cell = next(column for column in table.columns(document) if column.deciding).cells.get(row.key)
    spread = f"± {cell.sd} over repeats" if cell and cell.sd else ""
    score = [(f"Held-out {yardstick.title}", cell.text, table.unit(yardstick) or spread)] if cell else []
    detail = " · ".join(part for part in (row.model, row.link) if part)
    return [("Recommended", row.title, detail), *score]


def _whole(document: Document, detail: figures.Detail) -> bool:
    """Whether nothing is left out but points on smooth curves."""
    points = max((len(picture.x) for picture in document.pictures), default=0)
    enough = len(document.examples) <= detail.examples and len(document.pictures) <= detail.pictures
    return enough and len(document.checks) <= detail.checks and detail.faint and points <= detail.points


def plotly_js(plain_js: bool) -> str:
    """The drawing library as a page embeds it."""
    from plotly.offline import get_plotlyjs

    source = get_plotlyjs()
    return _unclosed(source) if plain_js else packed(source)


def packed(text: str) -> str:
    """Compressed and as base64; the same text always gives the same letters."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _unclosed(text: str) -> str:
    """Nothing in it that would end the script element it stands in."""
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


FRAGMENT = """\
{% set left = "text-align:left;padding:.2em .6em" %}
{% set right = "text-align:right;padding:.2em .6em" %}
<div style="max-width:64em;line-height:1.4;overflow-x:auto">
<p style="font-size:1.1em"><strong>{{ document.sentence }}</strong></p>
{% if document.rows %}
<table style="border-collapse:collapse;font-size:.9em;font-variant-numeric:tabular-nums">
<thead><tr><th scope="col" style="{{ left }}">{{ document.dataset.name }}</th>
{% for column in columns %}
<th scope="col" style="{{ right }}" title="{{ column.yardstick.explanation }}">
{{ column.yardstick.title }}&nbsp;{{ column.arrow }}</th>
{% endfor %}
{% if compared %}<th scope="col" style="{{ right }}">behind the best candidate [95&nbsp;%]</th>{% endif %}
<th scope="col" style="{{ left }}">verdict</th></tr></thead>
<tbody style="white-space:nowrap">
{% for row in standing %}
<tr><th scope="row" style="{{ left }};font-weight:{{ 700 if row.key == document.recommended else 400 }}">
{{ called(row) }}</th>
{% for column in columns %}
<td style="{{ right }}">{{ column.cells[row.key].text if row.key in column.cells else "–" }}</td>
{% endfor %}
{% if compared %}<td style="{{ right }}">{{ "best" if row.key == best else behind(row) }}</td>{% endif %}
<td style="{{ left }}">{{ row.verdict }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}
</div>
"""
