"""Curves as SVG: transparent, in colours that read on light and on dark, the same text on every machine."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from losslens.faces.pages.curves import Curves
from losslens.faces.pages.needs import needed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from losslens.faces.pages.page import Page

INK = "#6e7781"
COLOURS = ("#2b7fc4", "#d9700b", "#1f9d72")
DASHES = ("solid", "dashed", "dotted")
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "losslens",
    "path.simplify": True,
    "path.simplify_threshold": 0.06,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 8.0,
    "axes.titleweight": "bold",
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "lines.linewidth": 1.8,
    "lines.dashed_pattern": (4.0, 1.4),
    "lines.dotted_pattern": (1.2, 1.2),
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
}
_STEPS = (1, 2, 2.5, 5, 10)
_FONTS = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Noto Sans, DejaVu Sans, sans-serif"


def panel(curves: Curves, what: str) -> str:
    """One picture of ``value`` or ``slope`` of all lines."""
    return svg(3.5, 2.3, lambda figure: _draw(figure.add_axes((0.12, 0.18, 0.84, 0.72)), curves, what))


def thumbnail(curves: Curves, slopes: bool = False) -> str:
    """The values alone, small and without words; with the slopes of activations."""

    def fill(figure: Figure) -> None:
        axes = figure.add_axes((0.0, 0.03, 1.0, 0.94))
        axes.set_axis_off()
        axes.axhline(0.0, color=INK, alpha=0.4, linewidth=0.6)
        for place, numbers in enumerate(_numbers(curves, "value") + (_numbers(curves, "slope") if slopes else [])):
            _plot(axes, curves, place, numbers, linewidth=1.5)
        _limit(axes, curves, [axis for what in ("value", *(["slope"] * slopes)) for axis in _numbers(curves, what)])

    return svg(1.2, 0.66, fill)


def sheet(page: Page) -> str:
    """All curves of a member: a row for each sweep, values on the left and slopes on the right."""
    rows = len(page.curves)

    def fill(figure: Figure) -> None:
        for row, curves in enumerate(page.curves):
            bottom = 1.0 - (row + 1) / rows
            for column, what in enumerate(("value", "slope")):
                axes = figure.add_axes((0.06 + 0.5 * column, bottom + 0.17 / rows, 0.42, 0.64 / rows))
                _draw(axes, curves, what)
                if column == 0 and curves.lines[0].name:
                    _legend(axes)

    return svg(7.2, 2.5 * rows, fill)


def overview(pages: Sequence[Page], columns: int = 4) -> str:
    """All activations with their derivatives."""
    rows = -(-len(pages) // columns)

    def fill(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False)
        figure.subplots_adjust(0.03, 0.045, 0.995, 0.955, wspace=0.17, hspace=0.42)
        for axes, page in zip(grid.flat, pages, strict=False):
            _activation(axes, page)
        for axes in list(grid.flat)[len(pages) :]:
            axes.set_axis_off()
        handles, _ = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, ["activation", "derivative"], loc="upper left", ncols=2, frameon=False)

    return svg(8.4, 1.45 * rows + 0.3, fill)


def _activation(axes: Axes, page: Page) -> None:
    [curves] = page.curves
    both = _numbers(curves, "value") + _numbers(curves, "slope")
    for place, numbers in enumerate(both):
        _plot(axes, curves, place, numbers, label=str(place), linewidth=1.5)
    axes.axhline(0.0, color=INK, linewidth=0.6)
    _limit(axes, curves, both)
    axes.set_title(page.name, loc="left", pad=3)
    axes.tick_params(labelsize=6.5, pad=2)
    _bare(axes, ticks=4)


def _draw(axes: Axes, curves: Curves, what: str) -> None:
    shown = _numbers(curves, what)
    for place, numbers in enumerate(shown):
        _plot(axes, curves, place, numbers, label=curves.lines[place].name)
    _limit(axes, curves, shown)
    low, high = axes.get_ylim()
    if low < 0.0 < high:
        axes.axhline(0.0, color=INK, linewidth=0.6)
    axes.set_title(what, loc="left", pad=5)
    axes.set_xlabel(curves.x)
    _bare(axes, ticks=6)


def _plot(axes: Axes, curves: Curves, place: int, numbers: Sequence[float], **style: Any) -> None:
    x = [curves.low + (curves.high - curves.low) * step / (len(numbers) - 1) for step in range(len(numbers))]
    [line] = axes.plot(x, numbers, color=COLOURS[place], linestyle=DASHES[place], **style)
    line.get_path().should_simplify = True  # else paths of so few points are left as they are


def _bare(axes: Axes, ticks: int) -> None:
    """A grid and nothing around it."""
    from matplotlib.ticker import MaxNLocator, MultipleLocator

    for spine in axes.spines.values():
        spine.set_visible(False)
    low, high = axes.get_xlim()
    whole_turns = high in (180.0, 315.0)
    axes.xaxis.set_major_locator(MultipleLocator(45.0) if whole_turns else MaxNLocator(ticks, steps=_STEPS))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda number, _: f"{number:g}".replace("-", "−"))
    axes.set_xlim(low, high)


def _limit(axes: Axes, curves: Curves, shown: Sequence[Sequence[float]]) -> None:
    """All that is drawn with a margin, without the tips of what runs far off at a few places."""
    numbers = sorted(number for line in shown for number in line)
    low, high = numbers[0], numbers[-1]
    inner_low, inner_high = numbers[len(numbers) // 25], numbers[-1 - len(numbers) // 25]
    most = 3.0 * (inner_high - inner_low)
    if inner_high > inner_low and high - low > 2.0 * most:
        low, high = max(low, inner_low - most), min(high, inner_high + most)
    margin = 0.06 * (high - low) or max(0.5 * abs(high), 0.5)
    axes.set_xlim(curves.low, curves.high)
    axes.set_ylim(low - margin, high + margin)


def _numbers(curves: Curves, what: str) -> list[tuple[float, ...]]:
    return [line.values if what == "value" else line.slopes for line in curves.lines]


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.03, 1.1), ncols=3, frameon=False, borderaxespad=0.0, handlelength=2.2
    )


def svg(width: float, height: float, fill: Callable[[Figure], object]) -> str:
    """A figure of so many inches as text."""
    with needed("matplotlib"):
        import matplotlib
        from matplotlib.figure import Figure
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        fill(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return tidy(written.getvalue())


_TIDIED = (
    (r"(?s)^.*?(?=<svg )", ""),
    (r"(?s)<metadata>.*?</metadata>", ""),
    (r"(?s)<defs>\s*<style.*?</defs>", ""),
    (r'(?s)<g id="patch_[12]">\s*<path d="[^"]*" style="fill: none"/>\s*</g>', ""),
    (r' id="(?!p)[^"]*"| id="patch[^"]*"', ""),
    (r" font-family: [^;]*;", ""),
    (r' transform="rotate\(-?0 [^)]*\)"', ""),
    (r' xmlns:xlink="[^"]*"| version="1.1"', ""),
    (r"\s*\n\s*(?=[MLQCz\"])", " "),
    (r"\s*\n\s*", ""),
    (r"(?<=\d) L (?=[-\d])", " "),
    (r' "', '"'),
    (r'(width="[\d.]+)pt" (height="[\d.]+)pt"', r'\1" \2"'),
    (r"</?g/?>", ""),
    (r"<svg ", f'<svg font-family="{_FONTS}" stroke-linejoin="round" '),
)


def tidy(svg: str) -> str:
    """The same picture in fewer words: no head, no names that nothing refers to, numbers to a tenth of a point."""
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"-?\d+\.\d{2,}", _tenth, tag[0]), svg)
    for pattern, put in _TIDIED:
        svg = re.sub(pattern, put, svg)
    return svg + "\n"


def _tenth(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
