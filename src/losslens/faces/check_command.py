"""The command ``check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from losslens.faces.options import Json, print_json

if TYPE_CHECKING:
    from losslens.faces.check import Checked

CHECK_EXAMPLES = "Examples:  losslens check my_losses:sharp  |  losslens check torch.nn:HuberLoss --json"
_MARKS = {"fine": "green", "watch": "yellow", "act": "red"}


def check(
    loss: Annotated[
        str, typer.Argument(help="module:name of a function of (output, target) or an nn.Module, or a name.")
    ],
    json: Json = False,
) -> None:
    """Examine a loss of your own before training with it.

    Asks whether value and gradient are finite, whether it is least at a perfect reconstruction, where its gradient is
    zero, how strong it is beside mse, and more. Ends with status 1 if something must be acted on. What passes can be
    compared: losslens compare DATA --loss my_losses:sharp --loss mse
    """
    from losslens.faces.check import check as run

    found = run(loss)
    if json:
        print_json(found.as_json())
    else:
        _render(found)
    if not found.ok:
        raise typer.Exit(1)


def _render(found: Checked) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in found.findings:
        mark = f"[{_MARKS[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(mark, finding.question, f"{finding.answer} {finding.remedy}".strip())
    console = Console()
    console.print(f"{found.loss} {found.signature}", markup=False, highlight=False)
    console.print(table)
    if found.ok:
        console.print(
            f"To compare it: losslens compare DATA --loss {found.loss} --loss mse", markup=False, highlight=False
        )
