"""The command ``compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    whole,
)

COMPARE_EXAMPLES = (
    "Examples:  losslens compare pancreas  |  losslens compare cells.h5ad --label cell_type --budget 10m  |  "
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
    cut_form: Annotated[
        str, typer.Option(help="What a cut divides: all, weights, exact, or last, which keeps directions.")
    ] = "all",
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
