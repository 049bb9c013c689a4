"""The command ``reproduce``: published experiments measured again."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from losslens.faces.options import Json, print_json
from losslens.vocabulary.errors import BadInput, unknown

if TYPE_CHECKING:
    from losslens.measure.concentration import Row

REPRODUCE_EXAMPLES = (
    "Examples:  losslens reproduce concentration  |  losslens reproduce concentration --trials 2000 --json  |  "
    "losslens reproduce pitfalls -o pitfalls  |  losslens reproduce pitfalls --quick"
)
EXPERIMENTS = ("concentration", "pitfalls")
TRIALS = 20_000
NOT_DETERMINED = (
    "The paper does not say how features were scaled or which columns were used. Unscaled, the first three agree to "
    "within 10 matches; from L2 on the published numbers fall faster than those of this copy under any scaling tried "
    "(none, z-scores, to [0, 1])."
)


def reproduce(
    experiment: Annotated[str, typer.Argument(help="What to measure again: concentration or pitfalls.")],
    trials: Annotated[
        int | None, typer.Option(min=100, help="For concentration: random trials for each figure; 20,000.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="For pitfalls: small sizes, for a look.")] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="For pitfalls: output folder.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    json: Json = False,
) -> None:
    """Measure a published experiment again and print ours beside theirs.

    concentration: distances under L1 and L2 in up to 100 dimensions, and neighbours' labels under seven exponents
    (Aggarwal, Hinneburg and Keim, ICDT 2001), with the published counter-evidence.

    pitfalls: how the cosine's gradient fades with norms and at opposite directions, InfoNCE's forces, norms under
    weight decay, and norms as confidence (Draganov et al., arXiv 2406.16468 and 2502.09252). Writes report.html and
    results.json.
    """
    if experiment not in EXPERIMENTS:
        raise unknown("experiment", experiment, EXPERIMENTS)
    if experiment == "pitfalls":
        _refuse(experiment, "--trials", trials is not None)
        _pitfalls(quick, out, seed, json)
        return
    _refuse(experiment, "--quick", quick)
    _refuse(experiment, "--out", out is not None)
    _concentration(trials or TRIALS, seed, json)


def _refuse(experiment: str, option: str, given: bool) -> None:
    if given:
        raise BadInput(expected=f"an option that '{experiment}' has", found=option, remedy="losslens reproduce --help")


def _concentration(trials: int, seed: int, json: bool) -> None:
    from losslens.measure import concentration

    shares, matches = concentration.shares(trials, seed), concentration.breast_cancer()
    if json:
        print_json(
            {
                "experiment": "concentration",
                "trials": trials,
                "share of smaller contrast (%)": [_record(row) for row in shares],
                "label matches": [_record(row) for row in matches],
                "not determined": NOT_DETERMINED,
                "counter-evidence": concentration.COUNTER_EVIDENCE,
            }
        )
        return
    _render(f"Contrast under L2 below that under L1, % of {trials:,} trials, 10 uniform points", shares, 1.5)
    _render("Matching labels among the 10 nearest, breast cancer (wdbc), 569 rows unscaled", matches, None)
    typer.echo(f"{NOT_DETERMINED}\n\n{concentration.COUNTER_EVIDENCE}")


def _pitfalls(quick: bool, out: Path | None, seed: int, json: bool) -> None:
    from losslens.faces.folder import place
    from losslens.faces.lab.files import RESULTS, check_folder, write_all
    from losslens.faces.lab.pitfalls import article
    from losslens.faces.progress import automatic
    from losslens.lab.pitfalls import FULL, QUICK, pitfalls
    from losslens.report.article import render, show

    folder, scale = place(out, "pitfalls"), QUICK if quick else FULL
    check_folder(folder, "pitfalls")
    with automatic().phase("pitfalls", scale.parts) as advance:
        found = pitfalls(scale, seed=seed, advance=advance)
    record, made = _all(found, quick), article(found)
    write_all(folder, {RESULTS: json_module.dumps(record, indent=1), "report.html": render(made)})
    if json:
        print_json(record)
        return
    from rich.console import Console

    show(made, Console())
    typer.echo(f"Report: {folder / 'report.html'}")


def _all(found: Any, quick: bool) -> dict[str, Any]:
    from dataclasses import asdict

    return {"name": "pitfalls", "quick": quick, **asdict(found)}


def _record(row: Row) -> dict[str, float | str]:
    return {"what": row.what, "published": row.published, "measured": row.measured, "difference": row.difference}


def _render(title: str, rows: list[Row], within: float | None) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, box=None, title_justify="left")
    for column in ("", "published", "measured", "difference", *(["within 1.5"] if within else [])):
        table.add_column(column, justify="right")
    for row in rows:
        inside = ["yes" if abs(row.difference) <= within else "no"] if within else []
        numbers = (f"{number:,.1f}".removesuffix(".0") for number in (row.published, row.measured, row.difference))
        table.add_row(row.what, *numbers, *inside)
    Console().print(table, "")
