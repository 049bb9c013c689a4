"""What was seen to go wrong (or well) inside a training: a value beside its threshold, with reason and remedy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from losslens.models.spec import Spec

Verdict = Literal["fine", "watch", "act"]
VERDICTS: tuple[Verdict, ...] = ("act", "watch", "fine")  # the most pressing first


class Finding(Spec):
    """One diagnosis of one training. Needs no torch, and survives a round trip through JSON.

    ``change`` is what the remedy would change in the trial, as paths into its spec: that is the paired trial which
    ``losslens diagnose --try`` runs. It is empty where no field of a spec is the remedy.

    >>> found = Finding(
    ...     name="dead_units", verdict="act", value=0.6, unit="share of units", threshold=0.5, epoch=3,
    ...     reason="They give zero for every sample of the probe.", remedy="Lower the learning rate.",
    ...     change={"training.learning_rates": (1e-4,)},
    ... )
    >>> Finding.model_validate_json(found.model_dump_json()).verdict
    'act'
    """

    name: str = Field(description="a name of the catalogue of diagnostics")
    verdict: Verdict
    value: float
    unit: str
    threshold: float
    epoch: int = Field(ge=0, description="when it first arose; 0 is before training")
    where: str = Field("", description="the layer or branch it speaks of")
    reason: str
    remedy: str
    change: dict[str, Any] = {}
