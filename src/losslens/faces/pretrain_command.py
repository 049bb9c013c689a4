"""The command ``pretrain``."""

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
    print_comparison,
    whole,
)

PRETRAIN_EXAMPLES = (
    "Examples:  losslens pretrain digits --method simsiam --cut 9 --cut-form last  |  "
    "losslens pretrain cells.h5ad --method byol --epochs 200 -o encoder  |  "
    "losslens pretrain digits --method simclr --views gaussian_noise:sigma=0.3"
)


def pretrain(
    data: Data,
    method: Annotated[str, typer.Option(help="Self-supervised method: losslens list methods.")] = "simclr",
    label: Label = None,
    group: Group = None,
    id_column: IdColumn = None,
    transpose: Transpose = False,
    layer: Layer = None,
    size: Size = None,
    kind: Kind = None,
    cut: Annotated[float, typer.Option(help="Weights are divided by it before training; 1 for none.")] = 1.0,
    cut_form: Annotated[
        str, typer.Option(help="What the cut divides: all, weights, exact, or last, which keeps directions.")
    ] = "all",
    grad_scale: Annotated[float, typer.Option(help="Gradients at embeddings, times the norm to this power.")] = 0.0,
    views: Annotated[str, typer.Option(help="As NAME,NAME:OPTION=VALUE: losslens list views.")] = "",
    head: Annotated[int, typer.Option(help="Width of the heads.")] = 128,
    temperature: Annotated[float | None, typer.Option(help="Of contrastive methods; the method's own.")] = None,
    code: Annotated[int, typer.Option("--code-size", "--code", help="Width of the backbone's output.")] = 32,
    hidden: Annotated[str | None, typer.Option(help="Widths of the layers (channels of the stages) before it.")] = None,
    activation: Annotated[str, typer.Option(help="Hidden activation: losslens list activations.")] = "relu",
    shape: Annotated[str | None, typer.Option(help="Of images, as 28x28 or 3x32x32; of series, as 1x1460.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs; 100 by default.")] = None,
    batch: Annotated[int | None, typer.Option(help="Batch size; by the number of samples, up to 256.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate; the method's, by batch size.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of all weights; the method's own.")] = None,
    seed: Annotated[int, typer.Option(help="Split, initial weights, data order and views.")] = 0,
    precision: Annotated[str, typer.Option(help="auto, fp32 (the exact reference) or bf16.")] = "fp32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Output folder; an earlier one is continued.")] = None,
    json: Json = False,
) -> None:
    """Train an encoder on DATA by a self-supervised method, and judge its codes on a held-out part.

    Writes the encoder, the codes of all samples (embedding.npz), report.html and results.json. The same command with
    the same --out continues a training that was stopped.
    """
    from losslens.faces.pretrain import EMBEDDING
    from losslens.faces.pretrain import pretrain as run
    from losslens.faces.progress import automatic
    from losslens.report import text

    reading = {"label": label, "group": group, "id_column": id_column, "transpose": transpose, "layer": layer}
    found = run(
        data,
        **reading,  # type: ignore[arg-type]
        size=size,
        kind=kind,
        method=method,
        cut=cut,
        cut_form=cut_form,
        grad_scale=grad_scale,
        views=views,
        head=head,
        temperature=temperature,
        code=code,
        hidden=None if hidden is None else [whole(width) for width in listed(hidden)],
        activation=activation,
        shape=shape,
        epochs=epochs,
        batch=batch,
        learning_rate=lr,
        weight_decay=weight_decay,
        seed=seed,
        precision=precision,
        device=device,
        out=out,
        progress=automatic(),
        announce=None if json else text.render_gate,
    )
    print_comparison(found, json)
    if not json:
        typer.echo(f"Embedding: {found.folder / EMBEDDING}")
