"""Small changes to the mathematics are noticed: all but the survivors listed, with the reason, in survivors.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.mutation import SUBJECTS, complains, outcomes

SURVIVORS = json.loads((Path(__file__).parent / "survivors.json").read_text("utf-8"))
MODULES = [(subject, module) for subject in SUBJECTS for module in subject.modules]


@pytest.mark.parametrize(("subject", "module"), MODULES, ids=[name.partition(".")[2] for _, name in MODULES])
def test_mutants_of_the_mathematics_are_killed(subject, module, record_property):
    found = outcomes(module, subject)
    fates = {fate: [o for o in found if o.fate == fate] for fate in ("killed", "survived", "equivalent")}
    for fate, of in fates.items():
        record_property(f"mutants of {subject.what} {fate}", len(of))
    unlisted = {outcome.mutant.name for outcome in fates["survived"]} - set(SURVIVORS)
    assert not unlisted, "these survive without a reason in survivors.json"
    room = module.rpartition(".")[2]
    gone = {name for name in SURVIVORS if name.startswith(f"{room}.")} - {o.mutant.name for o in fates["survived"]}
    assert not gone, "these are killed now, and are no longer to be listed"
    changing = len(fates["killed"]) + len(fates["survived"])
    assert len(fates["killed"]) >= 0.95 * changing, f"{len(fates['killed'])} of {changing} killed"
    assert changing > 0


@pytest.mark.parametrize("subject", SUBJECTS, ids=[subject.what for subject in SUBJECTS])
def test_with_nothing_planted_no_check_complains(subject):
    some = [entry for entry in subject.catalogue.values() if not subject.proven_elsewhere(entry)][::20]
    complaints = [(entry.name, name) for entry in some for name, check in subject.checks(entry) if complains(check)]
    assert not complaints


def test_every_survivor_listed_is_of_a_module_that_exists_and_has_a_reason():
    modules = {name.rpartition(".")[2] for _, name in MODULES}
    assert len(modules) == len(MODULES)
    assert all(name.partition(".")[0] in modules for name in SURVIVORS)
    assert all(len(reason) > 20 for reason in SURVIVORS.values())
