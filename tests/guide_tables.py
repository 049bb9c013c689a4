"""The tables of docs/how-to-choose-a-loss.md, made from the rules: ``python -m tests.guide_tables`` writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from losslens.losses import LOSSES
from losslens.run.advice import blind_to, prioritises
from losslens.run.rules import CHOICES, RULES, TRAPS

GUIDE = Path(__file__).parent.parent / "docs" / "how-to-choose-a-loss.md"


def tables() -> dict[str, str]:
    """The text between each pair of markers."""
    return {
        "rules": _table(
            ("Your data", "Minimise", "Output", "It asks for", "Blind to", "Because", "Rather not if"), _rules()
        ),
        "activations": _table(
            ("Where", "For", "Take", "Because"),
            ((each.place, each.data, _names(each.names, " or "), each.reason) for each in CHOICES),
        ),
        "traps": _table(("With", "Beware"), ((each.data, each.text) for each in TRAPS)),
    }


def _rules() -> Iterable[Sequence[str]]:
    for rule in RULES:
        entries = [LOSSES[loss] for loss in rule.losses]
        outputs = dict.fromkeys(entry.link or "that of the data" for entry in entries)
        asked = dict.fromkeys(prioritises(entry) for entry in entries)
        blind = dict.fromkeys(blind_to(entry) for entry in entries)
        yield (
            rule.data,
            _names(rule.losses, ", "),
            ", ".join(outputs),
            "; ".join(asked),
            "; ".join(blind),
            rule.reason,
            rule.rather_not,
        )


def _names(names: Sequence[str], between: str) -> str:
    return between.join(f"`{name}`" for name in names)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def filled(text: str) -> str:
    """The guide with its tables as they should be."""
    for name, table in tables().items():
        opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(opening)
        _, _, after = rest.partition(closing)
        text = f"{before}{opening}{table}{closing}{after}"
    return text


if __name__ == "__main__":
    GUIDE.write_text(filled(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
