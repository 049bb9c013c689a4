"""Adding a loss touches two files: its function in one, its oracle in another. Everything else follows."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest
from tests.contracts import CONTRACTS

import losslens
from losslens.faces.listing import records
from losslens.losses import LOSSES

MEMBER = '''
import torch
from typing import Annotated
from torch import Tensor
from losslens.losses.family import POINTWISE, loss
from losslens.vocabulary.quantities import Range


@loss(
    POINTWISE,
    units="data units",
    elicits="between mean and median",
    reference="a test",
    use="When a test is to add a member to the catalogue.",
    failure="It is not in the catalogue that users see.",
    torch_line="lambda output, target: (({sharpness:g} * (output - target)).cosh().log() / {sharpness:g}).mean()",
)
def softened(output: Tensor, target: Tensor, *, sharpness: Annotated[float, Range(0.5, 4.0)] = 1.0) -> Tensor:
    r"""Absolute error with a rounded tip: elicits something between mean and median.

    .. math:: \\tfrac1s \\log \\cosh s (\\hat x - x)

    >>> losslens.softened(torch.zeros(1), torch.zeros(1))
    tensor(0.)
    """
    size = (sharpness * (output - target)).abs()
    flat = torch.expm1(-2.0 * size) / 2.0
    return torch.where(size < 1e-3, size * size / 2.0, size + torch.log1p(flat)) / sharpness
'''

ORACLE = """
import mpmath as mp


def softened(output, target, sharpness):
    return mp.log(mp.cosh(sharpness * (output - target))) / sharpness
"""


@pytest.fixture
def member(tmp_path, monkeypatch):
    (tmp_path / "losses").mkdir()
    (tmp_path / "oracles").mkdir()
    (tmp_path / "losses" / "softer.py").write_text(MEMBER, "utf-8")
    (tmp_path / "oracles" / "softer.py").write_text(ORACLE, "utf-8")
    for package, folder in (("losslens.losses", "losses"), ("tests.oracles", "oracles")):
        module = import_module(package)
        monkeypatch.setattr(module, "__path__", [*module.__path__, str(tmp_path / folder)])
    import_module("losslens.losses.softer")
    yield LOSSES["softened"]
    LOSSES.remove("softened")
    for name in ("losslens.losses.softer", "tests.oracles.softer"):
        sys.modules.pop(name, None)


def test_two_files_make_a_member(member, tmp_path):
    assert len([path for path in tmp_path.rglob("*.py") if "softened" in path.read_text("utf-8")]) == 2
    broken = []
    for contract, applies in CONTRACTS.items():
        if applies(member):
            try:
                contract(member, member.function)
            except AssertionError as error:
                broken.append((contract.__name__, str(error)[:200]))
    assert not broken
    assert losslens.softened is member.function
    assert losslens.Criterion("softened", sharpness=2.0).options == {"sharpness": 2.0}
    assert "softened" in [record["name"] for record in records("losses")]
