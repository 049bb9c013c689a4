"""The command line. Each command is a function; its signature and docstring are its help.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from losslens import __version__
from losslens.faces.advise_command import ADVISE_EXAMPLES, advise
from losslens.faces.catalogue_commands import CATALOGUE_EXAMPLES, LIST_EXAMPLES, SHOW_EXAMPLES, catalogue, list_, show
from losslens.faces.check_command import CHECK_EXAMPLES, check
from losslens.faces.compare_command import COMPARE_EXAMPLES, compare
from losslens.faces.diagnose_command import DIAGNOSE_EXAMPLES, diagnose
from losslens.faces.implicit.command import IMPLICIT_EXAMPLES, implicit
from losslens.faces.lab.command import LAB_EXAMPLES, lab
from losslens.faces.options import (
    Data,
    Group,
    IdColumn,
    Json,
    Kind,
    Label,
    Layer,
    Size,
    Transpose,
    print_json,
)
from losslens.faces.pretrain_command import PRETRAIN_EXAMPLES, pretrain
from losslens.faces.reproduce_command import REPRODUCE_EXAMPLES, reproduce
from losslens.vocabulary.errors import Interrupted, LosslensError

app = typer.Typer(
    name="losslens",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What should my autoencoder minimise? A fair, held-out comparison of losses on your own data.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"losslens {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The command itself only carries --version and --help."""


app.command(epilog=COMPARE_EXAMPLES)(compare)


@app.command(epilog="Examples:  losslens inspect cells.h5ad  |  losslens inspect table.tsv --transpose --json")
def inspect(
    data: Data,
    label: Label = None,
    group: Group = None,
    id_column: IdColumn = None,
    transpose: Transpose = False,
    layer: Layer = None,
    size: Size = None,
    kind: Kind = None,
    json: Json = False,
) -> None:
    """Say what DATA are and which objectives fit them; trains nothing."""
    from losslens.faces.inspect import inspect as run
    from losslens.report import text

    found = run(
        data, label=label, group=group, id_column=id_column, transpose=transpose, layer=layer, size=size, kind=kind
    )
    if json:
        print_json(found.as_json())
        return
    text.render_gate(found.dataset, goal=found.goal, candidates=found.summary(), refused=found.refusals)


app.command(epilog=ADVISE_EXAMPLES)(advise)


@app.command(epilog="Example:  losslens transform losslens-runs/pancreas-20260101-120000 cells.h5ad -o codes.csv")
def transform(
    model: Annotated[
        Path, typer.Argument(help="Output folder of a comparison, or the folder 'model' in it.", metavar="MODEL")
    ],
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .csv, .npz or .h5ad.")],
    label: Label = None,
    id_column: IdColumn = None,
    transpose: Transpose = False,
    layer: Layer = None,
    size: Size = None,
    json: Json = False,
) -> None:
    """Write the codes of DATA under a trained MODEL."""
    from losslens.faces.writers import write_matrix, writer_for

    writer_for(output)
    trained, profiles = _opened(model, data, label, id_column, transpose, layer, size)
    codes = trained.pass_over(profiles)[0]
    write_matrix(output, codes, profiles.samples, [f"code_{i + 1}" for i in range(codes.shape[1])], profiles.labels)
    _wrote(output, codes, json)


@app.command(epilog="Example:  losslens reconstruct losslens-runs/pancreas-20260101-120000 cells.h5ad -o rebuilt.h5ad")
def reconstruct(
    model: Annotated[
        Path, typer.Argument(help="Output folder of a comparison, or the folder 'model' in it.", metavar="MODEL")
    ],
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .csv, .npz or .h5ad.")] = Path(
        "reconstruction.csv"
    ),
    space: Annotated[
        str, typer.Option(help="data: in the units of DATA; working: before undoing the preprocessing.")
    ] = "data",
    label: Label = None,
    id_column: IdColumn = None,
    transpose: Transpose = False,
    layer: Layer = None,
    size: Size = None,
    json: Json = False,
) -> None:
    """Write the reconstruction of DATA by a trained MODEL."""
    from losslens.faces.writers import write_matrix, writer_for

    writer_for(output)
    trained, profiles = _opened(model, data, label, id_column, transpose, layer, size)
    rebuilt = trained.reconstruct(profiles, space=space)
    write_matrix(output, rebuilt, profiles.samples, trained.saved.features, profiles.labels)
    _wrote(output, rebuilt, json)


app.command(name="list", epilog=LIST_EXAMPLES)(list_)
app.command(epilog=SHOW_EXAMPLES)(show)
app.command(epilog=CATALOGUE_EXAMPLES)(catalogue)
app.command(epilog=CHECK_EXAMPLES)(check)
app.command(epilog=DIAGNOSE_EXAMPLES)(diagnose)
app.command(epilog=REPRODUCE_EXAMPLES)(reproduce)
app.command(epilog=IMPLICIT_EXAMPLES)(implicit)
app.command(epilog=PRETRAIN_EXAMPLES)(pretrain)
app.command(epilog=LAB_EXAMPLES)(lab)


def main() -> None:
    """Entry point: a mistake of the user ends with a message and status 2, an interrupt with status 130."""
    try:
        app(prog_name="losslens")
    except Interrupted as stop:
        typer.echo(f"\n{stop}", err=True)
        sys.exit(130)
    except LosslensError as error:
        typer.echo(f"losslens: {error}", err=True)
        sys.exit(2)


def _opened(
    model: Path,
    data: str,
    label: str | None,
    id_column: str | None,
    transpose: bool,
    layer: str | None,
    size: int | None,
) -> Any:
    from losslens.faces.models import load

    trained = load(model)
    return trained, trained.matched(data, label=label, id_column=id_column, transpose=transpose, layer=layer, size=size)


def _wrote(output: Path, matrix: Any, json: bool) -> None:
    rows, columns = matrix.shape
    if json:
        print_json({"output": str(output), "rows": rows, "columns": columns})
    else:
        typer.echo(f"Wrote {rows} x {columns} to {output}")
