"""The command ``advise``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from losslens.faces.options import Data, Group, IdColumn, Json, Kind, Label, Layer, Size, Transpose, print_json

if TYPE_CHECKING:
    from losslens.faces.advise import Guidance
    from losslens.measure.contrast import Contrast, View
    from losslens.run.advice import Advice, Hint

ADVISE_EXAMPLES = (
    "Examples:  losslens advise pancreas  |  losslens advise cells.h5ad --layer counts --label cell_type  |  "
    "losslens advise table.csv --goal likelihood --json"
)


def advise(
    data: Data,
    label: Label = None,
    group: Group = None,
    id_column: IdColumn = None,
    transpose: Transpose = False,
    layer: Layer = None,
    size: Size = None,
    kind: Kind = None,
    goal: Annotated[str | None, typer.Option(help="What is wanted: direction, magnitude, likelihood or code.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the rows that distances are measured between.")] = 0,
    json: Json = False,
) -> None:
    """Say which losses and activations suit DATA, and why; trains nothing.

    Prints the losses with the output activation for each, what they prioritise and what they are blind to, the
    mistakes that such data invite, how distances concentrate in these data, and the command that measures the advice.
    """
    from losslens.faces.advise import advise as run

    reading: dict[str, Any] = {"label": label, "group": group, "id_column": id_column, "layer": layer, "size": size}
    found = run(data, transpose=transpose, kind=kind, goal=goal, seed=seed, **reading)
    if json:
        print_json(found.as_json())
    else:
        _render(found)


def _render(found: Guidance) -> None:
    from rich.text import Text

    from losslens.report import text
    from losslens.report.terminal import heading, show, styled, terminal

    console = terminal()
    text.render_gate(found.dataset.model_copy(update={"facts": []}), goal=found.goal, console=console)
    show(
        console,
        [
            heading("What to minimise, in no order of merit"),
            _losses(found.losses),
            *_hints("Activations", found.activations),
            *_hints("Mistakes that such data invite", found.traps),
            heading("How distances concentrate in these data"),
            *_contrast(found.contrast),
            styled(found.counter_evidence),
            heading("Measure it"),
            styled(found.prior),
            Text(found.command, "cyan", no_wrap=True, overflow="ignore"),
        ],
    )


def _losses(losses: Sequence[Advice]) -> Any:
    from losslens.report.terminal import pairs

    return pairs(
        (
            each.name,
            f"{each.because}\nAsks for {each.prioritises}; blind to {each.blind_to}.\nRather not if {each.rather_not}.",
        )
        for each in losses
    )


def _hints(title: str, hints: Sequence[Hint]) -> list[Any]:
    from losslens.report.terminal import heading, pairs

    return [heading(title), pairs((each.subject, each.text) for each in hints)] if hints else []


def _contrast(found: View) -> list[Any]:
    from losslens.report.terminal import styled

    equal = f" {found.equal[-1]:.1%} of the pairs are equal and left out." if found.equal[-1] else ""
    return [
        styled(
            f"Relative contrast (Dmax - Dmin) / Dmin of {found.points:,} rows in the working space, median over "
            f"{found.queries} of them (quartiles), and its slope: contrast ~ features^slope. Independent features "
            "would approach -1/2; 'shuffled' is the slope that these have with every feature shuffled over the rows."
            f"{equal}"
        ),
        _by_exponent(found),
        styled(
            "\nContrast times the root of the number of features, on random subsets of them: level for independent "
            "features, growing where they move together."
        ),
        _by_size(found),
        styled(f"\n{found.meaning} {found.neighbours}".rstrip()),
    ]


def _by_exponent(found: View) -> Any:
    rows = [
        [
            each.name,
            f"{each.median:.3g} ({each.low:.3g} to {each.high:.3g})",
            _number(each.slope),
            _number(each.independent_slope),
            *([str(each.agreement or ""), str(each.versus or "")] if found.chance is not None else []),
        ]
        for each in found.contrasts
    ]
    labels = [f"same label (chance {found.chance:.3f})", "against L2"] if found.chance is not None else []
    return _table(["", "contrast", "slope", "shuffled", *labels], rows)


def _by_size(found: View) -> Any:
    def scaled(each: Contrast) -> list[str]:
        return [f"{value * size**0.5:.3g}" for value, size in zip(each.by_size, found.sizes, strict=True)]

    return _table(["features", *map(str, found.sizes)], [[each.name, *scaled(each)] for each in found.contrasts])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich import box
    from rich.table import Table

    out = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for place, name in enumerate(header):
        out.add_column(name, justify="right" if place else "left")
    for row in rows:
        out.add_row(*row)
    return out


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
