"""A trial as a value: everything that decides its result, and an id that is the hash of it. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from pydantic import Field

from losslens import __version__
from losslens.measure.findings import Finding
from losslens.models.spec import CorruptionSpec, MethodSpec, ModelSpec, ObjectiveSpec, Spec

Precision = Literal["fp32", "bf16"]


class SplitSpec(Spec):
    """Which random split of the samples: repeats differ, everything in one repeat shares it."""

    repeat: int = Field(ge=0)
    seed: int = 0
    test: float = 0.2
    valid: float = 0.16


class TrainingSpec(Spec):
    """How a network is trained: the same for every candidate, the learning rate chosen from the grid.

    Each rate of the grid is trained for ``trial_epochs``; the one with the lowest validation loss by then
    goes on, until ``patience`` epochs bring no improvement or ``epochs`` are done. What a kind of model sets here is
    part of the candidate: ``corruption`` of the inputs, ``average`` of the weights, ``pretraining`` layer by layer.
    """

    learning_rates: tuple[float, ...] = (2e-4, 1e-3)
    batch: int = Field(32, ge=1)
    epochs: int = Field(60, ge=1)
    trial_epochs: int = Field(3, ge=1)
    patience: int = Field(4, ge=1)
    weight_decay: float = Field(0.0, ge=0, description="decoupled, of the network's weights")
    average: float = Field(
        0.0, ge=0, lt=1, description="share of the running mean of weights that a step keeps; 0: none"
    )
    corruption: CorruptionSpec | None = None
    pretraining: int = Field(0, ge=0, description="epochs for each layer before all are trained together")
    pretraining_corruption: CorruptionSpec | None = None
    precision: Precision = "fp32"
    device: str = "cpu"


class TransformSpec(Spec):
    """Which preprocessing, fitted on the training part; ``cap`` is the known maximum of a bounded scale."""

    name: str
    cap: float | None = None


class TrialSpec(Spec):
    """One model trained (or fitted) and judged on one split. Same id, same result."""

    data: str = Field(description="content hash of the profiles")
    transform: TransformSpec
    split: SplitSpec
    model: ModelSpec
    objective: ObjectiveSpec | None = Field(None, description="None for baselines and self-supervised methods")
    method: MethodSpec | None = Field(None, description="of a self-supervised method, which has no objective")
    training: TrainingSpec | None = Field(None, description="None for the baselines")
    seed: int = Field(0, description="initial weights and data order, together with the repeat")
    version: str = __version__

    @cached_property
    def id(self) -> str:
        """Hash of the canonical JSON form.

        >>> plain = TransformSpec(name="none")
        >>> spec = TrialSpec(data="d", transform=plain, split=SplitSpec(repeat=0), model=ModelSpec(kind="zeros"))
        >>> spec.id == TrialSpec.model_validate_json(spec.model_dump_json()).id
        True
        """
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def start_seed(self) -> int:
        """Of initial weights and order of rows: another one for each repeat, the same for its candidates."""
        import numpy as np

        return int(np.random.SeedSequence([self.seed, self.split.repeat]).generate_state(1)[0])

    @property
    def is_baseline(self) -> bool:
        """Whether it is what candidates are judged beside."""
        return self.objective is None and self.method is None

    @property
    def key(self) -> str:
        """What is trained (or fitted), whatever the size of its code."""
        if self.method is not None and self.training is not None:
            return method_key(self.method, self.training.weight_decay)
        if self.objective is None:
            return self.model.kind
        return row_key(self.objective.loss, self.objective.link, self.model.kind)


def method_key(method: MethodSpec, weight_decay: float) -> str:
    """The key of a row of a self-supervised method: what is compared under one name.

    >>> method_key(MethodSpec(name="simclr", views=(), cut=3), 5e-4)
    'simclr/cut=3/wd=0.0005'
    """
    return f"{method.name}/cut={method.cut:g}/wd={weight_decay:g}"


def row_key(loss: str, link: str, kind: str) -> str:
    """The key of a row: loss, output activation if neither linear nor built in, kind of model if not plain.

    >>> row_key("mse", "softplus", "autoencoder"), row_key("poisson", "softmax", "variational")
    ('mse+softplus', 'poisson@variational')
    """
    key = loss + ("" if link in ("linear", "logits", "softmax", "log") else f"+{link}")
    return key if kind == "autoencoder" else f"{key}@{kind}"


def row_keys(trials: Sequence[TrialSpec]) -> dict[str, str]:
    """The row of the table that each trial (by id) belongs to; where code sizes are compared, each is a row.

    >>> def trial(size):
    ...     split, model = SplitSpec(repeat=0), ModelSpec(kind="pca", code=size)
    ...     return TrialSpec(data="d", transform=TransformSpec(name="none"), split=split, model=model)
    >>> list(row_keys([trial(4), trial(8)]).values()), list(row_keys([trial(4)]).values())
    (['pca/4', 'pca/8'], ['pca'])
    """
    sizes: dict[str, set[int]] = defaultdict(set)
    for spec in trials:
        sizes[spec.key].add(spec.model.code)
    return {spec.id: f"{spec.key}/{spec.model.code}" if len(sizes[spec.key]) > 1 else spec.key for spec in trials}


class Fit(Spec):
    """The course of one training: the candidate's own loss by epoch, index 0 before the first step."""

    lr: float
    train: tuple[float, ...]
    valid: tuple[float, ...]
    best_epoch: int
    chosen: bool
    seconds: float = 0.0
    diverged: str = Field("", description="what became not finite and when; empty if nothing did")


class TrialResult(Spec):
    """What came of a trial. A diverged one is a result too, with its cause."""

    spec: TrialSpec
    status: Literal["ok", "diverged"]
    cause: str = ""
    metrics: dict[str, float | None] = {}
    course: dict[str, tuple[float | None, ...]] = Field({}, description="readings by epoch, 0 before training")
    fits: tuple[Fit, ...] = ()
    parameters: int = 0
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()

    @property
    def best(self) -> Fit | None:
        """The training whose model was kept."""
        return next((fit for fit in self.fits if fit.chosen), None)
