"""The command ``diagnose``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from losslens.faces.options import DATA_HELP, Group, IdColumn, Json, Label, Layer, Transpose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from losslens.report.diagnosis import Diagnosis, Proposal

DIAGNOSE_EXAMPLES = (
    "Examples:  losslens diagnose losslens-runs/pancreas-20260101-120000  |  losslens diagnose out --row mse  |  "
    "losslens diagnose out --try  |  losslens diagnose out --try --json  |  "
    "losslens diagnose out --try --finding dead_units --data cells.h5ad"
)


def diagnose(
    run: Annotated[
        Path,
        typer.Argument(help="Output folder of a comparison, or (to read only) of one of its trials.", metavar="RUN"),
    ],
    attempt: Annotated[bool, typer.Option("--try", help="Try the remedies, as paired trials.")] = False,
    row: Annotated[list[str] | None, typer.Option(help="A row to speak of, as mse+softplus; repeatable.")] = None,
    finding: Annotated[list[str] | None, typer.Option(help="A finding, as dead_units; repeatable.")] = None,
    data: Annotated[str | None, typer.Option(help=f"Where the data are, if not where they were: {DATA_HELP}")] = None,
    label: Label = None,
    group: Group = None,
    id_column: IdColumn = None,
    transpose: Transpose = False,
    layer: Layer = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core by default, 0 for none.")] = None,
    json: Json = False,
) -> None:
    """Say what went wrong inside the trainings of RUN, and with --try whether the remedies help.

    Each finding is a value beside its threshold, with the reason and what to do. --try runs what a finding would
    change as a paired trial: every repeat of the row again, with the same split and seed and nothing else changed. It
    says whether the finding went away and whether the deciding yardstick got better, with a corrected interval. The
    trials are kept under RUN/tried, and the same command goes on from there.
    """
    from losslens.faces.diagnose import diagnose as read_again
    from losslens.faces.progress import automatic
    from losslens.report import diagnosis_text

    found = read_again(
        run,
        attempt,
        rows=row or (),
        findings=finding or (),
        data=data,
        label=label,
        group=group,
        id_column=id_column,
        transpose=transpose,
        layer=layer,
        workers=workers,
        progress=automatic(),
        announce=None if json else _announce,
    )
    if json:
        typer.echo(found.model_dump_json(indent=1))
        return
    diagnosis_text.render(found, findings=not attempt)
    if attempt and not found.attempts and not found.not_tried:
        typer.echo("No finding names a change that could be tried.")


def _announce(found: Diagnosis, proposals: Sequence[Proposal]) -> None:
    from losslens.report import diagnosis_text

    diagnosis_text.render(found.model_copy(update={"not_tried": []}))
    diagnosis_text.render_plan(proposals)
