"""What every doctest of the package may name without importing it: ``torch`` and ``losslens``."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _doctest_names(request: pytest.FixtureRequest) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        names: dict[str, Any] = request.getfixturevalue("doctest_namespace")
        names.update(_names())


def _names() -> dict[str, Any]:
    import torch  # here, so that tests which need no torch do not wait for it

    import losslens

    return {"torch": torch, "losslens": losslens}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How much of the catalogue the run proved: members, oracles, contracts, mutants."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    fates = Counter(dict.fromkeys(("killed", "survived", "equivalent"), 0))
    for report in reports:
        fates.update({name.split()[1]: count for name, count in report.user_properties if name.startswith("mutants ")})
    if sum(fates.values()):
        terminalreporter.section("the catalogue")
        for line in _counted(fates):
            terminalreporter.write_line(line)


def _counted(fates: Counter[str]) -> list[str]:
    from tests.contracts import CONTRACTS
    from tests.mutants import MUTANTS
    from tests.samples import oracle_of

    from losslens.activations import ACTIVATIONS
    from losslens.losses import LOSSES

    families = len({entry.family.name for entry in LOSSES.values()})
    pairs = sum(applies(entry) for entry in LOSSES.values() if not entry.graph for applies in CONTRACTS.values())
    oracles = len({oracle_of(entry) for entry in LOSSES.values()})
    changing = fates["killed"] + fates["survived"]
    return [
        f"members    {len(LOSSES)} losses in {families} families, {len(ACTIVATIONS)} activations",
        f"oracles    {oracles} of losses",
        f"contracts  {len(CONTRACTS)}, applied {pairs} times; {len(MUTANTS)} planted mutants, one or more for each",
        f"mutants    {fates['killed']} of {changing} that change a value killed ({fates['killed'] / changing:.1%}), "
        f"{fates['survived']} survivors listed, {fates['equivalent']} change nothing",
    ]
