"""The commands ``list`` and ``show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from losslens.faces.options import Json, print_json

if TYPE_CHECKING:
    from losslens.faces.page import Curve, Page

LIST_EXAMPLES = (
    "Examples:  losslens list losses  |  losslens list losses --elicits median  |  "
    "losslens list losses --domain counts  |  losslens list activations --json"
)
SHOW_EXAMPLES = "Examples:  losslens show cosine  |  losslens show huber --json  |  losslens show selu"
BARS = "▁▂▃▄▅▆▇█"
Flag = bool | None


def list_(
    what: Annotated[str, typer.Argument(help="losses, activations, models, yardsticks, goals, kinds or data.")],
    family: Annotated[str | None, typer.Option(help="Losses of a family: pointwise, profile, image, ...")] = None,
    elicits: Annotated[str | None, typer.Option(help="Losses that elicit this: mean, median, direction, ...")] = None,
    domain: Annotated[
        str | None, typer.Option(help="Losses for such targets: counts, zeros, numbers in [0, 1].")
    ] = None,
    scale_invariant: Annotated[Flag, typer.Option("--scale-invariant/--not-scale-invariant", help="Losses.")] = None,
    shift_invariant: Annotated[Flag, typer.Option("--shift-invariant/--not-shift-invariant", help="Losses.")] = None,
    convex: Annotated[Flag, typer.Option("--convex/--not-convex", help="Losses.")] = None,
    candidate: Annotated[Flag, typer.Option("--candidate/--not-candidate", help="Tried unasked by compare.")] = None,
    bounded: Annotated[Flag, typer.Option("--bounded/--not-bounded", help="Activations.")] = None,
    zero_centred: Annotated[Flag, typer.Option("--zero-centred/--not-zero-centred", help="Activations.")] = None,
    monotone: Annotated[Flag, typer.Option("--monotone/--not-monotone", help="Activations.")] = None,
    can_die: Annotated[Flag, typer.Option("--can-die/--cannot-die", help="Activations.")] = None,
    json: Json = False,
) -> None:
    """List what there is to choose from, all of it or what has certain facts."""
    from losslens.faces.listing import chosen, records

    wanted = {
        "family": family,
        "elicits": elicits,
        "domain": domain,
        "scale_invariant": scale_invariant,
        "shift_invariant": shift_invariant,
        "convex": convex,
        "candidate": candidate,
        "bounded": bounded,
        "zero_centred": zero_centred,
        "monotone": monotone,
        "can_die": can_die,
    }
    found = chosen(records(what), {name: fact for name, fact in wanted.items() if fact is not None})
    if json:
        print_json(found)
        return
    if not found:
        typer.echo("Nothing has all of that.")
        return
    width = max(len(_called(record)) for record in found)
    for record in found:
        typer.echo(f"{_called(record):<{width}}  {record['summary']}")


def show(
    name: Annotated[str, typer.Argument(help="A loss or an activation: losslens list losses.")], json: Json = False
) -> None:
    """Show one loss or activation: formula, when to use it, its facts, its curve, its source."""
    from dataclasses import asdict

    from losslens.faces.page import page

    found = page(name)
    if json:
        print_json(asdict(found))
    else:
        _render(found)


def _render(page: Page) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, markup=False)

    say(f"{page.name} ({page.kind})\n{page.summary}\n\n    {page.formula}\n")
    if page.text:
        say(page.text + "\n")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for fact, value in page.facts.items():
        table.add_row(fact, value)
    console.print(table, markup=False)
    if page.curve:
        say("\n" + _drawn(page.curve))
    say(f"\n{page.example}")
    if page.pytorch:
        say(f"\nIn PyTorch, the same mean:  {page.pytorch}")


def _drawn(curve: Curve) -> str:
    """Value and slope as two rows of bars."""
    lines = [f"{'':9}{curve.x} from -3 to 3"]
    for what, numbers in (("value", curve.values), ("slope", curve.slopes)):
        low, high = min(numbers), max(numbers)
        span = (high - low) or 1.0
        bars = "".join(BARS[min(int((number - low) / span * len(BARS)), len(BARS) - 1)] for number in numbers)
        lines.append(f"{what:9}{bars}  {low:.3g} to {high:.3g}")
    return "\n".join(lines)


def _called(record: dict[str, Any]) -> str:
    aliases = record.get("aliases")
    return f"{record['name']} ({', '.join(aliases)})" if aliases else str(record["name"])
