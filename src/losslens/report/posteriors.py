"""What holds the posteriors of variational rows: the weight of the divergence, and how many code units are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from losslens.report.document import Divergence, Row
from losslens.report.rows import Results

WEAK, STRONG = 0.1, 10.0
USED = 0.5  # share of the code units that an uncollapsed posterior uses at least
Verdict = Literal["near one", "weak", "strong", "no common scale"]


def divergences(table: Sequence[Row], results: Results) -> list[Divergence]:
    """One entry for every variational row that finished."""
    found = []
    for row in table:
        spec = next(iter(results[row.key].values())).spec.model
        if spec.variational and row.measurements:
            weight, active = row.mean("kl_weight"), row.mean("active_units")
            collapsed = active is not None and active < USED * spec.code
            found.append(Divergence(row=row.key, kl_weight=weight, active=active, code=spec.code,
                                    verdict=_verdict(weight), collapsed=collapsed))  # fmt: skip
    return found


def _verdict(weight: float | None) -> Verdict:
    if weight is None:
        return "no common scale"
    return "weak" if weight < WEAK else "strong" if weight > STRONG else "near one"
