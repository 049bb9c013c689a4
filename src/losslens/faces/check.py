"""``check``: the examination of one loss, from the catalogue or the user's own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from losslens.losses import LOSSES, LossEntry
from losslens.losses.examination import Finding, examine
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain


@dataclass(frozen=True)
class Checked:
    """What was found about a loss.

    >>> Checked("mine", "(output, target) -> element", (Finding("Is it finite?", "act", "Not at zero."),)).ok
    False
    """

    loss: str
    signature: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing must be acted on."""
        return all(finding.verdict != "act" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"loss": self.loss, "signature": self.signature, "ok": self.ok} | {
            "findings": [asdict(finding) for finding in self.findings]
        }


def check(loss: str) -> Checked:
    """Examine a loss: ``my_module:my_loss``, or a name of the catalogue.

    Raises:
        UnknownName: no such loss.
        BadInput: it is no loss, or not one between an output and real numbers to reproduce.

    >>> check("torch.nn:MSELoss").ok
    True
    """
    entry = LOSSES[loss]
    plain = entry.reconstructs and entry.domain is Domain.REAL and not entry.parameters
    if not plain:
        raise BadInput(
            expected="a loss between an output and real numbers, with nothing to learn",
            found=f"{entry.name}: {entry.family.signature} on {entry.domain.value}",
            remedy="The members of the catalogue are proven by its own tests: losslens show.",
        )
    return Checked(entry.name, entry.family.signature, tuple(examine(_values(entry))))


def _values(entry: LossEntry) -> Any:
    return partial(entry.element, **{name: option.default for name, option in entry.options.items()})
