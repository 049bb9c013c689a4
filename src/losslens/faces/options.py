"""What the commands share: their common options, and how they read lists and print JSON."""

from __future__ import annotations

from typing import Annotated, Any

import typer

DATA_HELP = "pancreas, digits, a folder of pictures, or a file: .h5ad .csv .tsv .parquet .npz .npy (rows are samples)"
Data = Annotated[str, typer.Argument(help=DATA_HELP, metavar="DATA")]
Label = Annotated[str | None, typer.Option("--label", help="Column with labels; detected where obvious.")]
Group = Annotated[str | None, typer.Option("--group", help="Column with groups that splits must keep whole.")]
IdColumn = Annotated[str | None, typer.Option("--id", help="Column with sample names; detected where obvious.")]
Transpose = Annotated[bool, typer.Option("--transpose", help="Rows are features, columns are samples.")]
Layer = Annotated[str | None, typer.Option("--layer", help="Layer of an .h5ad file to read instead of X.")]
Size = Annotated[int | None, typer.Option("--size", help="Side to crop and resize a folder's pictures to.")]
Kind = Annotated[str | None, typer.Option("--kind", help="Kind of data, if the gate is wrong: losslens list kinds.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def print_json(value: Any) -> None:
    """Print a value as JSON, for programs."""
    import json

    typer.echo(json.dumps(value, indent=1))


def print_comparison(found: Any, json: bool) -> None:
    """Print a judged comparison, for programs or for people, who are told where the page is."""
    from losslens.report import text

    if json:
        typer.echo(found.document.model_dump_json(indent=1))
        return
    text.render(found.document, gate=False)
    typer.echo(f"Report: {found.folder / 'report.html'}")


def listed(text: str | None) -> list[str]:
    """The parts of a comma-separated list."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def whole(text: str) -> int:
    """A whole number, or the complaint that it is none."""
    if not text.isdecimal():
        raise typer.BadParameter(f"expected a whole number, found {text!r}")
    return int(text)


def number(text: str) -> float:
    """A number, or the complaint that it is none."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"expected a number, found {text!r}") from None
