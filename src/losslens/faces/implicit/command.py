"""The command ``implicit``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from losslens.faces.options import Json, listed, print_json, whole
from losslens.vocabulary.errors import BadInput, LosslensWarning

if TYPE_CHECKING:
    from losslens.report.fit import Fitted

IMPLICIT_EXAMPLES = (
    "Examples:  losslens implicit image photo.png -o fit --steps 500 --size 128  |  "
    "losslens implicit audio voice.wav -o voice  |  losslens implicit poisson photo.png --from laplacian -o solved  |  "
    "losslens implicit sdf scan.ply -o surface  |  losslens implicit wave --speed 2 -o string  |  "
    "losslens implicit evaluate fit --resolution 512x512 -o big.png"
)
EVALUATE = "evaluate"


def implicit(
    task: Annotated[
        str,
        typer.Argument(
            help="image, audio, video, poisson, sdf, helmholtz or wave; or evaluate, to draw a fit at any resolution.",
            metavar="TASK",
        ),
    ],
    source: Annotated[
        str | None,
        typer.Argument(
            help="A picture, a .wav, a folder or .npz of frames, a point cloud with normals (.npz, .xyz, ASCII .ply), "
            "nothing for helmholtz and wave; for evaluate the folder of a fit.",
            metavar="[SOURCE]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Output folder, an earlier one is continued; for evaluate a file."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Adam steps.")] = None,
    network: Annotated[str, typer.Option(help="siren, relu, tanh or fourier (ReLU with Fourier features).")] = "siren",
    baselines: Annotated[
        str | None, typer.Option(help="Networks beside it, comma-separated; all that can be by default, none for none.")
    ] = None,
    hidden: Annotated[str | None, typer.Option(help="Widths of the hidden layers, comma-separated.")] = None,
    omega: Annotated[float | None, typer.Option(help="Frequency of the sine layers; 30 for pictures.")] = None,
    first_omega: Annotated[float | None, typer.Option(help="That of the first; 3000 for sounds.")] = None,
    scale: Annotated[float | None, typer.Option(help="Standard deviation of the Fourier features.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate; 1e-4 for signals.")] = None,
    points: Annotated[int | None, typer.Option(min=1, help="Random points at each step instead of all.")] = None,
    size: Annotated[int | None, typer.Option(help="Longer side of the pictures in pixels.")] = None,
    known: Annotated[str | None, typer.Option("--from", help="For poisson: gradients or laplacian.")] = None,
    wavenumber: Annotated[float | None, typer.Option(help="For helmholtz.")] = None,
    speed: Annotated[float | None, typer.Option(help="For wave.")] = None,
    resolution: Annotated[str | None, typer.Option(help="For evaluate: 512x512, or 512 for the longest axis.")] = None,
    seed: Annotated[int, typer.Option(help="Initial weights and points.")] = 0,
    precision: Annotated[str, typer.Option(help="fp32 or bf16 (layers behind the first).")] = "fp32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json: Json = False,
) -> None:
    """Fit a network from coordinates to a signal (SIREN), or make it solve an equation, beside simpler networks.

    Writes the model, the reconstruction, results.json and report.html. The same command with the same --out
    continues, also to more --steps.
    """
    with _shown_warnings():
        if task == EVALUATE:
            _evaluate(source, out, resolution, json)
            return
        if resolution is not None:
            raise BadInput(
                expected="--resolution with evaluate alone",
                found=f"--resolution {resolution} with {task}",
                remedy=f"Fit first, then: losslens implicit evaluate FOLDER --resolution {resolution} -o FILE",
            )
        from losslens.faces.folder import place
        from losslens.faces.implicit.fit import implicit as run
        from losslens.faces.progress import automatic

        found = run(
            task,
            source,
            steps=steps,
            network=network,
            baselines=None if baselines is None else [] if baselines == "none" else listed(baselines),
            hidden=[whole(width) for width in listed(hidden)] if hidden else None,
            omega=omega,
            first_omega=first_omega,
            scale=scale,
            learning_rate=lr,
            seed=seed,
            precision=precision,
            device=device,
            out=place(out, f"implicit-{task}"),
            progress=automatic(),
            points=points,
            size=size,
            known=known,
            wavenumber=wavenumber,
            speed=speed,
        )
    if json:
        typer.echo(found.found.model_dump_json(indent=1))
        return
    _render(found.found)
    typer.echo(f"Report: {found.folder}/report.html")


def _evaluate(source: str | None, out: Path | None, resolution: str | None, json: bool) -> None:
    if source is None or out is None:
        raise BadInput(
            expected="the folder of a fit and a file to write",
            found="no folder" if source is None else "no file",
            remedy="For example: losslens implicit evaluate FOLDER --resolution 512x512 -o big.png",
        )
    from losslens.faces.implicit.canvas import check_output, write
    from losslens.faces.implicit.fit import load_fit

    trained = load_fit(source)
    check_output(trained.canvas, out)
    values = trained.reconstruct(resolution)
    write(trained.canvas, values, out)
    shape = " x ".join(str(size) for size in values.shape[:-1])
    if json:
        print_json({"output": str(out), "shape": list(values.shape)})
    else:
        typer.echo(f"Wrote {shape} to {out}")


@contextmanager
def _shown_warnings() -> Iterator[None]:
    """Our warnings as plain lines on standard error; others as Python shows them."""

    def show(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
        if issubclass(category, LosslensWarning):
            typer.echo(f"warning: {message}", err=True)
        else:
            usual(message, category, *where, **more)  # type: ignore[arg-type]

    with warnings.catch_warnings():
        warnings.simplefilter("always", LosslensWarning)
        usual, warnings.showwarning = warnings.showwarning, show
        yield


def _render(found: Fitted) -> None:
    from rich.console import Console
    from rich.table import Table

    from losslens.report.fit import shown_score

    table = Table(box=None, title=found.sentence, title_justify="left", title_style="bold")
    table.add_column("")
    for column in (found.yardstick, "steps", "parameters", "time (s)"):
        table.add_column(column, justify="right")
    for row in found.rows:
        numbers = (shown_score(found, row), f"{row.steps:,}", f"{row.parameters:,}", f"{row.seconds:.1f}")
        table.add_row(row.title, *numbers)
    Console().print(table)
