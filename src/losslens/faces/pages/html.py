"""Pages of the catalogue as HTML: each one file that asks nothing of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from losslens import __version__
from losslens.faces.pages import drawing
from losslens.faces.pages.catalogue import Group, words
from losslens.faces.pages.formulas import mathml
from losslens.faces.pages.page import Page
from losslens.faces.pages.prose import pieces
from losslens.report.templates import environment

HERE = "losslens.faces.pages"
Link = Callable[[str], str]


def member(page: Page) -> str:
    """One member on a page that stands alone."""
    return _member(page, link=lambda name: f"<code>{escape(name)}</code>", family=())


def catalogue(found: Sequence[Group]) -> dict[str, str]:
    """Every page of the catalogue and the index, by file name; the last group are the activations."""
    activations = drawing.overview(found[-1].pages)
    files = {"index.html": _index(found, activations), "activations.svg": activations}
    for group in found:
        files |= {f"{page.name}.html": _member(page, link=_linked, family=group.pages) for page in group.pages}
    return files


def _linked(name: str) -> str:
    return f'<a href="{escape(name)}.html"><code>{escape(name)}</code></a>'


def _member(page: Page, link: Link, family: Iterable[Page]) -> str:
    return _filled(
        "member.html.j2",
        page=page,
        family=[other.name for other in family],
        summary=_prose(page.summary, link),
        use=_prose(page.use, link),
        failure=_prose(page.failure, link),
        paragraphs=[_prose(text, link) for text in page.text.split("\n\n") if text],
        formulas=[mathml(formula, block=True) for formula in page.formula.split("\n") if formula],
        derivative=mathml(page.derivative, block=True) if page.derivative else "",
        curves=[
            (curves, *(_inline(drawing.panel(curves, what)) for what in ("value", "slope"))) for curves in page.curves
        ],
        keys=list(zip(drawing.COLOURS, drawing.DASHES, strict=True)),
    )


def _index(found: Sequence[Group], activations: str) -> str:
    return _filled(
        "index.html.j2",
        groups=found,
        losses=sum(len(group.pages) for group in found[:-1]),
        families=len(found) - 1,
        thumbnail=lambda page: _inline(drawing.thumbnail(page.curves[0], slopes=page.kind == "activation")),
        summary=lambda page: _prose(page.summary, lambda name: f"<code>{escape(name)}</code>"),
        words=words,
        activations=_inline(activations),
    )


def _prose(text: str, link: Link) -> str:
    """A paragraph with its code, formulas and links."""
    put: dict[str, Link] = {
        "words": escape,
        "code": lambda code: f"<code>{escape(code)}</code>",
        "math": mathml,
        "member": link,
    }
    return "".join(put[piece.kind](piece.text) for piece in pieces(text))


def _inline(svg: str) -> str:
    """A picture within a page, its text in the page's own colour."""
    return svg.replace(drawing.INK, "var(--soft)")


def _filled(template: str, **view: Any) -> str:
    from markupsafe import Markup

    found = environment()
    found.filters["html"] = Markup
    return found.get_template(f"{HERE}/{template}").render(view, version=__version__)
