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
    listed,
    number,
    print_comparison,
    print_json,
    whole,
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


@app.command(
    epilog="Examples:  losslens compare pancreas  |  losslens compare cells.h5ad --label cell_type --budget 10m  |  "
    "losslens compare table.csv --loss mse --loss cosine --goal direction"
)
def compare(
    data: Data,
    label: Label = None,
    group: Group = None,
    id_column: IdColumn = None,
    transpose: Transpose = False,
    layer: Layer = None,
    size: Size = None,
    kind: Kind = None,
    goal: Annotated[str | None, typer.Option(help="What decides: direction, magnitude, likelihood or code.")] = None,
    loss: Annotated[
        list[str] | None, typer.Option(help="A loss to compare, as NAME or NAME+OUTPUT (mse+softplus); repeatable.")
    ] = None,
    models: Annotated[str, typer.Option(help="Kinds of models, comma-separated: losslens list models.")] = "",
    methods: Annotated[str, typer.Option(help="Self-supervised methods, comma-separated: losslens list methods.")] = "",
    cut: Annotated[
        str, typer.Option(help="Methods' weights are divided by it at first; several (1,3,9) compare.")
    ] = "1",
    cut_form: Annotated[str, typer.Option(help="What a cut divides: all, weights, exact or last.")] = "all",
    grad_scale: Annotated[
        float, typer.Option(help="Methods' gradients at embeddings, times the norm to this power.")
    ] = 0.0,
    views: Annotated[str, typer.Option(help="Methods' views, as NAME,NAME:OPTION=VALUE: losslens list views.")] = "",
    code: Annotated[
        str, typer.Option("--code-size", "--code", help="Code size, also of PCA; several (4,8,16) to find the knee.")
    ] = "32",
    hidden: Annotated[
        str | None, typer.Option(help="Widths (channels, of convolutions) of the hidden layers; 256 (16,32).")
    ] = None,
    activation: Annotated[str, typer.Option(help="Hidden activation: losslens list activations.")] = "relu",
    normalisation: Annotated[str, typer.Option(help="Between layers: none, batch or layer.")] = "none",
    dropout: Annotated[float | None, typer.Option(help="Share of hidden units left out in a training step.")] = None,
    tied: Annotated[bool, typer.Option("--tied", help="The decoder's weights are the encoder's, transposed.")] = False,
    weight_decay: Annotated[
        str | None, typer.Option(help="Decay of weights (decoupled, of autoencoders); with --methods several (0,5e-4).")
    ] = None,
    average: Annotated[
        float | None, typer.Option(help="Running mean of weights, as 0.99; what is kept is the mean.")
    ] = None,
    corruption: Annotated[
        str | None, typer.Option(help="Of denoising models, as NAME or NAME:STRENGTH: losslens list corruptions.")
    ] = None,
    emphasis: Annotated[str, typer.Option(help="On corrupted entries: none, double or full.")] = "none",
    beta: Annotated[float, typer.Option(help="Weight of a variational model's divergence.")] = 1.0,
    pretraining: Annotated[int | None, typer.Option(help="Epochs for each layer of stacked models.")] = None,
    shape: Annotated[str | None, typer.Option(help="Of images, as 28x28 or 3x32x32; of series, as 1x1460.")] = None,
    repeats: Annotated[int, typer.Option(help="Random splits.")] = 5,
    seed: Annotated[int, typer.Option(help="Splits, initial weights and data order.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Most epochs of a training.")] = None,
    batch: Annotated[int | None, typer.Option(help="Batch size; 32 for small data, 128 from 5000 samples.")] = None,
    lr: Annotated[str | None, typer.Option(help="Grid of learning rates, comma-separated.")] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32 (the exact reference) or bf16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    budget: Annotated[str | None, typer.Option(help="Wall-time limit: 90s, 10m, 2h.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core by default, 0 for none.")] = None,
    out: Annotated[Path | None, typer.Option(help="Output folder; an earlier one is continued.")] = None,
    json: Json = False,
) -> None:
    """Train a model under each objective that fits DATA and say which to use.

    Looks at the data, picks the losses and output activations that fit, trains one network under each with the same
    splits and budget, judges all by the same held-out yardsticks beside mean-profile and PCA baselines, and writes
    report.html, results.json and the recommended model. The same command with the same --out continues.
    """
    from losslens.faces.compare import compare as run
    from losslens.faces.progress import automatic
    from losslens.report import text

    found = run(
        data,
        label=label,
        group=group,
        id_column=id_column,
        transpose=transpose,
        layer=layer,
        size=size,
        kind=kind,
        goal=goal,
        losses=loss or (),
        models=listed(models),
        methods=listed(methods),
        cut=[number(each) for each in listed(cut)],
        cut_form=cut_form,
        grad_scale=grad_scale,
        views=views,
        code_sizes=[whole(size) for size in listed(code)],
        hidden=None if hidden is None else [whole(width) for width in listed(hidden)],
        activation=activation,
        normalisation=normalisation,
        dropout=dropout,
        tied=tied,
        weight_decay=None if weight_decay is None else [number(each) for each in listed(weight_decay)],
        average=average,
        corruption=corruption,
        emphasis=emphasis,
        beta=beta,
        pretraining=pretraining,
        shape=shape,
        repeats=repeats,
        seed=seed,
        epochs=epochs,
        batch=batch,
        learning_rates=[number(rate) for rate in listed(lr)] if lr else None,
        precision=precision,
        device=device,
        budget=budget,
        workers=workers,
        out=out,
        progress=automatic(),
        announce=None if json else text.render_gate,
    )
    print_comparison(found, json)


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
