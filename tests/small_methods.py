"""Small data and trials of self-supervised methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from losslens.data.gate import look
from losslens.data.profiles import Profiles
from losslens.data.readers import read
from losslens.models.methods import METHODS
from losslens.models.spec import MethodSpec, ModelSpec
from losslens.models.views import default_views
from losslens.run.composition import Shared
from losslens.run.methods import Methods
from losslens.run.plan import Plan, plan
from losslens.run.prepared import DataFolder, Prepared
from losslens.run.siamese import Pretraining
from losslens.run.spec import SplitSpec, TrainingSpec, TransformSpec, TrialSpec

CLASSES, FEATURES = 4, 60


def planted(samples: int = 400, noise: float = 1.6, seed: int = 0) -> Profiles:
    """Classes along a few directions that all features share, under noise of each feature's own: what views change."""
    random = np.random.default_rng(seed)
    labels = np.arange(samples) % CLASSES
    centres = random.normal(size=(CLASSES, FEATURES))
    values = centres[labels] + noise * random.normal(size=(samples, FEATURES))
    return read(values.astype(np.float32), label=np.array([f"kind {label}" for label in labels]))


def method_spec(name: str, **changes: Any) -> MethodSpec:
    """A method with small heads."""
    entry = METHODS[name]
    facts = {"head": 16, "temperature": entry.temperature, "momentum": entry.momentum}
    usual = {"views": default_views("profile"), "queue": 64 if entry.memory == "queue" else 0}
    return MethodSpec.model_validate({"name": name, **facts, **usual, **changes})


def trial(name: str, data: Profiles, *, epochs: int = 2, **changes: Any) -> TrialSpec:
    """A trial of a method on a small perceptron."""
    decay = changes.pop("weight_decay", METHODS[name].weight_decay)
    batch = changes.pop("batch", 32)
    return TrialSpec(
        data=data.content_hash,
        transform=TransformSpec(name="none"),
        split=SplitSpec(repeat=0),
        model=ModelSpec(kind="encoder", hidden=(64,), code=16, normalisation="batch"),
        method=method_spec(name, **changes),
        training=TrainingSpec(
            learning_rates=(METHODS[name].learning_rate / 4,), batch=batch, epochs=epochs, weight_decay=decay
        ),
    )


def prepared(data: Profiles, folder: Path, spec: TrialSpec) -> Prepared:
    """The data of a trial."""
    return DataFolder.write(data, folder).prepare(spec.split, spec.transform)


def training(name: str, data: Profiles, folder: Path, **changes: Any) -> Pretraining:
    """A training before its first step."""
    spec = trial(name, data, **changes)
    return Pretraining(spec, prepared(data, folder, spec), seed=7)


def planned(data: Profiles, names: tuple[str, ...], **options: Any) -> Plan:
    """A plan of methods, and of losses where asked for."""
    given = {"losses": (), "models": (), "repeats": 1, "seed": 0, "sizes": (4,)}
    given |= {name: options.pop(name) for name in list(options) if name in given}
    shared = Shared(ModelSpec(hidden=(8,), code=4), TrainingSpec(epochs=1, learning_rates=(1e-3,)))
    asked = Methods(names=names, samples=data.shape[0], **options)
    return plan(look(data), shared, content_hash=data.content_hash, methods=asked, **given)
