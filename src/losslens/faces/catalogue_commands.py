"""The commands ``list``, ``show`` and ``catalogue``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from losslens.faces.options import Json, print_json

LIST_EXAMPLES = (
    "Examples:  losslens list losses  |  losslens list losses --elicits median  |  "
    "losslens list losses --domain counts  |  losslens list activations --json"
)
SHOW_EXAMPLES = "Examples:  losslens show cosine  |  losslens show huber --json  |  losslens show selu --html selu.html"
CATALOGUE_EXAMPLES = "Examples:  losslens catalogue -o site  |  losslens catalogue -o docs/catalogue --markdown"
Flag = bool | None


def list_(
    what: Annotated[
        str, typer.Argument(help="losses, activations, models, methods, yardsticks, goals, kinds or data.")
    ],
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
    name: Annotated[str, typer.Argument(help="A loss or an activation: losslens list losses.")],
    html: Annotated[Path | None, typer.Option(help="Write the page with its pictures to this file instead.")] = None,
    json: Json = False,
) -> None:
    """Show one loss or activation: formula, when to use it and when not, its facts, its curves, its source."""
    from dataclasses import asdict

    from losslens.faces.pages.page import page

    found = page(name)
    if html is not None:
        from losslens.faces.pages import html as rendered
        from losslens.faces.pages.files import write

        write(html.parent, {html.name: rendered.member(found)})
        _wrote({"output": str(html)}, f"Wrote {html}", json)
    elif json:
        print_json(asdict(found))
    else:
        from losslens.faces.pages.terminal import render

        render(found)


def catalogue(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to; made if it is not there.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown and SVG files instead of HTML.")] = False,
    json: Json = False,
) -> None:
    """Write the pages of all losses and activations, with an index and pictures of their curves.

    HTML opens from the folder, without a server or the network: begin with index.html. Needs losslens[pages].
    """
    from losslens.faces.pages import html
    from losslens.faces.pages import markdown as text
    from losslens.faces.pages.catalogue import groups
    from losslens.faces.pages.files import write

    files = (text if markdown else html).catalogue(groups())
    write(output, files)
    start = output / ("README.md" if markdown else "index.html")
    _wrote({"output": str(output), "files": len(files)}, f"Wrote {len(files)} files; begin with {start}", json)


def _wrote(record: dict[str, Any], words: str, json: bool) -> None:
    if json:
        print_json(record)
    else:
        typer.echo(words)


def _called(record: dict[str, Any]) -> str:
    aliases = record.get("aliases")
    return f"{record['name']} ({', '.join(aliases)})" if aliases else str(record["name"])
