"""The contenders of ``training.py``, each in its own process and its own environment.

A peer needs its library and numpy, nothing else. Run as ``python _peers.py NAME SETTINGS``: says what it is in
one line of JSON, then trains once for each seed that it reads and answers with seconds and held-out error.
Imports and compilation are over before the first line.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]
Train = Callable[[int, int], Predict]  # seed, epochs -> the trained network


@dataclass(frozen=True)
class Settings:
    """What all contenders share. ``arrays`` holds train, valid and test, centred; ``folder`` the same for losslens."""

    arrays: str
    folder: str
    batch: int
    epochs: int
    lr: float
    precision: str
    core: int
    hidden: int = 256
    code: int = 32


def plain(data: dict[str, np.ndarray], settings: Settings) -> Train:
    """The loop of most tutorials: DataLoader, Adam and mse_loss as PyTorch gives them by default."""
    import torch
    from torch.nn.functional import mse_loss
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(1)
    train_set, valid_set = (TensorDataset(torch.from_numpy(data[part])) for part in ("train", "valid"))

    def train(seed: int, epochs: int) -> Predict:
        torch.manual_seed(seed)
        model = torch_network(data["train"].shape[1], settings)
        optimizer = torch.optim.Adam(model.parameters(), lr=settings.lr)
        train_loader = DataLoader(train_set, batch_size=settings.batch, shuffle=True)
        valid_loader = DataLoader(valid_set, batch_size=settings.batch)
        for _ in range(epochs):
            model.train()
            for (x,) in train_loader:
                optimizer.zero_grad()
                mse_loss(model(x), x).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                sum(mse_loss(model(x), x).item() * len(x) for (x,) in valid_loader)
        return torch_predict(model)

    return train


def lightning(data: dict[str, np.ndarray], settings: Settings) -> Train:
    """Lightning's Trainer with everything optional switched off."""
    import logging
    import warnings

    import torch
    from lightning import LightningModule, Trainer
    from torch.nn.functional import mse_loss
    from torch.utils.data import DataLoader, TensorDataset

    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = torch_network(data["train"].shape[1], settings)

        def training_step(self, batch: Any, _: int) -> Any:
            return mse_loss(self.model(batch[0]), batch[0])

        def validation_step(self, batch: Any, _: int) -> None:
            self.log("valid", mse_loss(self.model(batch[0]), batch[0]))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=settings.lr)

    sets = [TensorDataset(torch.from_numpy(data[part])) for part in ("train", "valid")]
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")

    def train(seed: int, epochs: int) -> Predict:
        torch.manual_seed(seed)
        module = Module()
        loaders = [DataLoader(s, batch_size=settings.batch, shuffle=s is sets[0]) for s in sets]
        quiet = dict.fromkeys(off, False)
        trainer = Trainer(max_epochs=epochs, accelerator="cpu", devices=1, num_sanity_val_steps=0, **quiet)
        trainer.fit(module, *loaders)
        return torch_predict(module.model.eval())

    return train


def keras_jax(data: dict[str, np.ndarray], settings: Settings) -> Train:
    """Keras on JAX: compiled once, weights and optimiser set back before each training."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    width = data["train"].shape[1]
    widths = (settings.hidden, settings.code, settings.hidden, width)
    names = ("relu", None, "relu", None)
    layers = [keras.layers.Dense(size, activation=name) for size, name in zip(widths, names, strict=True)]
    model = keras.Sequential([keras.Input((width,)), *layers])
    model.compile(optimizer=keras.optimizers.Adam(settings.lr), loss="mse")
    model.optimizer.build(model.trainable_variables)
    fresh = [variable.numpy() for variable in model.optimizer.variables]
    x, held = data["train"], data["valid"]

    def train(seed: int, epochs: int) -> Predict:
        keras.utils.set_random_seed(seed)
        model.set_weights(as_torch_starts(model.get_weights(), seed))
        for variable, value in zip(model.optimizer.variables, fresh, strict=True):
            variable.assign(value)
        shared = {"batch_size": settings.batch, "validation_batch_size": settings.batch, "verbose": 0}
        model.fit(x, x, epochs=epochs, shuffle=True, validation_data=(held, held), **shared)
        return lambda rows: np.asarray(model.predict(rows, verbose=0))

    return train


def losslens(data: dict[str, np.ndarray], settings: Settings) -> Train:
    """The training of losslens itself, on the memory-mapped copy that its workers use."""
    from pathlib import Path

    import torch

    from losslens.models.autoencoders import Autoencoder, start
    from losslens.models.objective import Objective
    from losslens.models.spec import ModelSpec, ObjectiveSpec
    from losslens.run.loop import Training
    from losslens.run.prepared import prepared
    from losslens.run.spec import SplitSpec, TrainingSpec, TransformSpec

    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("medium" if settings.precision == "bf16" else "highest")
    prep = prepared(Path(settings.folder), SplitSpec(repeat=0), TransformSpec(name="library_log"))
    index, valid = torch.from_numpy(prep.split.train), torch.from_numpy(prep.split.valid)
    rows, mean = prep.batches(False, "cpu"), prep.profiles(index).mean(0)
    net = ModelSpec(hidden=(settings.hidden,), code=settings.code)

    def train(seed: int, epochs: int) -> Predict:
        torch.manual_seed(seed)
        model = Autoencoder.build(net, prep.features)
        objective = Objective(ObjectiveSpec(loss="mse"), prep.features, net.code)
        start(model, net, mean, mean, None)
        spec = TrainingSpec(learning_rates=(settings.lr,), batch=settings.batch, epochs=epochs, patience=epochs)
        Training(model, objective, settings.lr, spec, rows, index, valid, seed).epochs(epochs)
        # the arrays of the contenders are centred already; this network centres its input itself
        return torch_predict(lambda x: model(x + mean).output - mean)

    return train


CONTENDERS: dict[str, Callable[[dict[str, np.ndarray], Settings], Train]] = {
    "losslens": losslens,
    "plain": plain,
    "lightning": lightning,
    "keras-jax": keras_jax,
}
LIBRARIES = ("losslens", "torch", "lightning", "keras", "jax", "jaxlib", "numpy")


def torch_network(width: int, settings: Settings) -> Any:
    from torch import nn

    encoder = nn.Linear(width, settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, settings.code)
    decoder = nn.Linear(settings.code, settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, width)
    return nn.Sequential(*encoder, *decoder)


def torch_predict(model: Callable[[Any], Any]) -> Predict:
    import torch

    def predict(rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(rows)).numpy()

    return predict


def as_torch_starts(weights: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """PyTorch's default initial weights for the layers of a Keras model: uniform within 1 / sqrt(fan in)."""
    generator = np.random.default_rng(seed)
    bounds = [1 / np.sqrt(kernel.shape[0]) for kernel in weights[::2] for _ in range(2)]
    return [generator.uniform(-b, b, w.shape).astype(w.dtype) for b, w in zip(bounds, weights, strict=True)]


def timed(train: Train, seed: int, epochs: int, test: np.ndarray) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    predict = train(seed, epochs)
    seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    return {**seconds, "mse": float(np.mean((predict(test) - test) ** 2, dtype=np.float64))}


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except ImportError:
            continue
    return found


def serve(name: str, settings: Settings) -> None:
    """Answer each seed on standard input; whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {settings.core})
    with np.load(settings.arrays) as file:
        data = dict(file)
    train = CONTENDERS[name](data, settings)
    train(0, 1)
    print(json.dumps(versions()), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(timed(train, int(line), settings.epochs, data["test"])), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Settings(**json.loads(sys.argv[2])))
