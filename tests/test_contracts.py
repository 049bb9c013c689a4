"""Every loss keeps every contract that applies to it."""

from __future__ import annotations

import pytest
from tests.contracts import CONTRACTS
from tests.mutants import MUTANTS

from losslens.losses import LOSSES

PROVEN = [entry for entry in LOSSES.values() if not entry.graph]  # tests/test_codes.py proves the others
PAIRS = [(entry, contract) for entry in PROVEN for contract, applies in CONTRACTS.items() if applies(entry)]


@pytest.mark.parametrize(("entry", "contract"), PAIRS, ids=[f"{e.name}-{c.__name__}" for e, c in PAIRS])
def test_loss_keeps_contract(entry, contract):
    contract(entry, entry.function)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{m.contract.__name__}-{m.entry.name}-{m.what}" for m in MUTANTS])
def test_contract_rejects_mutant(mutant):
    with pytest.raises(AssertionError):
        mutant.contract(mutant.entry, mutant.function)


def test_every_contract_has_a_mutant():
    assert {mutant.contract for mutant in MUTANTS} == set(CONTRACTS)


def test_mutants_apply_to_what_they_mutate():
    wrong = [m.what for m in MUTANTS if not CONTRACTS[m.contract](LOSSES[m.entry.name])]
    assert not wrong
