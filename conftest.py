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
    """How much of the catalogue the run proved: members, oracles, contracts, facts, mutants."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    fates: Counter[str] = Counter()
    for report in reports:
        fates.update({name: count for name, count in report.user_properties if name.startswith("mutants ")})
    if fates:
        held = Counter(report.nodeid.partition("[")[0].rpartition("::")[2] for report in reports if report.passed)
        terminalreporter.section("the catalogue")
        for line in [*_counted(held), *_mutants("losses", fates), *_mutants("activations", fates)]:
            terminalreporter.write_line(line)


def _counted(held: Counter[str]) -> list[str]:
    from tests.activation_facts import FACTS
    from tests.contracts import CONTRACTS
    from tests.mutants import MUTANTS
    from tests.oracles import activations
    from tests.samples import oracle_of
    from tests.test_activations import MUTANTS as WRONG_FACTS

    from losslens.activations import ACTIVATIONS
    from losslens.losses import LOSSES

    families = len({entry.family.name for entry in LOSSES.values()})
    oracles = len({oracle_of(entry) for entry in LOSSES.values()})
    derived = [
        name for name in ACTIVATIONS if hasattr(activations, name) and hasattr(activations, f"{name}_derivative")
    ]
    return [
        f"members    {len(LOSSES)} losses in {families} families, {len(ACTIVATIONS)} activations",
        f"oracles    {oracles} of losses, {len(derived)} of activations and of their derivatives",
        f"contracts  {len(CONTRACTS)} of losses, kept {held['test_loss_keeps_contract']} times in this run; "
        f"{len(MUTANTS)} planted mutants, one or more for each",
        f"facts      {len(FACTS)} of activations, measured {held['test_fact']} times in this run; "
        f"{len(WRONG_FACTS)} wrong ones, one or more for each",
    ]


def _mutants(of: str, fates: Counter[str]) -> list[str]:
    killed, survived, equivalent = (fates[f"mutants of {of} {fate}"] for fate in ("killed", "survived", "equivalent"))
    changing = killed + survived
    if not changing:
        return []
    return [
        f"mutants    of {of}: {killed} of {changing} that change a value killed ({killed / changing:.1%}), "
        f"{survived} survivors listed, {equivalent} change nothing"
    ]
