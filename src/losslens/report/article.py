"""A report of sections with words, plots and tables: a value, a self-contained page, and a text for the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from losslens import __version__
from losslens.models.spec import Spec
from losslens.report.html import packed, plotly_js
from losslens.report.templates import environment

if TYPE_CHECKING:
    from rich.console import Console


class Plot(Spec):
    """A drawing of plotly (data and layout) with a title, and what it shows in words."""

    title: str
    words: str
    figure: dict[str, Any]


class Table(Spec):
    """Cells as they are to be read; the first of a row names it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(Spec):
    """What belongs together: words, plots, tables, and notes in smaller letters."""

    title: str
    paragraphs: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


class Article(Spec):
    """The whole: what it is, the outcome in one sentence, and sections.

    >>> Article(name="lab", sentence="It fades.", sections=(Section(title="Why"),)).sections[0].title
    'Why'
    """

    losslens: str = __version__
    name: str
    sentence: str
    lead: tuple[str, ...] = ()
    sections: tuple[Section, ...]


def render(article: Article) -> str:
    """The page, which asks nothing of the network."""
    figures = {
        f"plot-{outer}-{inner}": plot.figure
        for outer, section in enumerate(article.sections)
        for inner, plot in enumerate(section.plots)
    }
    data = json.dumps(figures, separators=(",", ":"), allow_nan=False)
    template = environment().get_template("losslens.report/article.html.j2")
    return template.render(article=article, library=plotly_js(False), data=packed(data))


def show(article: Article, console: Console) -> None:
    """The sentence, the words and the tables, without plots and notes."""
    console.print(article.sentence, style="bold", markup=False, highlight=False)
    for section in article.sections:
        console.print(f"\n{section.title}", style="bold", markup=False, highlight=False)
        for text in section.paragraphs:
            console.print(text, markup=False, highlight=False)
        for table in section.tables:
            console.print(_table(table))


def _table(table: Table) -> Any:
    from rich.table import Table as Drawn

    drawn = Drawn(title=table.title or None, box=None, title_justify="left", title_style="italic")
    for place, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if place else "left")
    for row in table.rows:
        drawn.add_row(*row)
    return drawn
