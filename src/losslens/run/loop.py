"""The training loop, on one screen, and the choice of the learning rate on the validation part."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from losslens.models.autoencoders import Autoencoder
from losslens.models.objective import Batch, Objective
from losslens.run.network import Adam, FlatParameters, Gradients
from losslens.run.spec import Fit, TrainingSpec

Rows = Callable[[Tensor], Batch]  # index -> batch
_CHUNK = 512


class Training:
    """One network under one learning rate; can be continued epoch by epoch and keeps its best weights."""

    def __init__(
        self,
        model: Autoencoder,
        objective: Objective,
        lr: float,
        spec: TrainingSpec,
        rows: Rows,
        valid: Tensor,
        seed: int,
    ) -> None:
        self.model, self.objective, self.lr, self.spec = model, objective, lr, spec
        self.rows, self.valid = rows, valid
        self.parameters = FlatParameters(model, objective)
        self.gradients = Gradients(model, objective)
        self.optimiser = Adam(self.parameters, lr, spec.weight_decay)
        self.generator = torch.Generator().manual_seed(seed)
        self.train_curve: list[float] = []
        self.best_loss = self.validate()
        self.valid_curve = [self.best_loss]
        self.best, self.best_epoch = self.parameters.values.detach().clone(), 0
        self.seconds, self.diverged = 0.0, ""

    def epochs(self, train: Tensor, until: int) -> None:
        """Train up to epoch ``until``, or until patience ends or a value stops being finite."""
        began = time.perf_counter()
        while len(self.train_curve) < until and not self.diverged and not self.is_patience_over:
            total = 0.0
            for index in batches(train, self.spec.batch, self.generator):
                batch = self.rows(index)
                loss = self.gradients(batch)  # outputs, objective, backward
                self.optimiser.step()
                total += float(loss) * len(index)
            self.record(total / len(train))
        self.seconds += time.perf_counter() - began

    def record(self, train_loss: float) -> None:
        """Add an epoch to the curves; remember the weights if they are the best so far."""
        valid_loss = self.validate()
        if not (math.isfinite(train_loss) and math.isfinite(valid_loss)):
            part = "validation" if math.isfinite(train_loss) else "training"
            epoch = len(self.train_curve) + 1
            self.diverged = f"the {part} loss was not finite in epoch {epoch} at learning rate {self.lr:g}"
            return
        self.train_curve.append(train_loss)
        self.valid_curve.append(valid_loss)
        if valid_loss < self.best_loss:
            self.best_loss, self.best_epoch = valid_loss, len(self.train_curve)
            self.best.copy_(self.parameters.values.detach())

    @property
    def is_patience_over(self) -> bool:
        """Whether the last ``patience`` epochs brought nothing."""
        return len(self.train_curve) - self.best_epoch >= self.spec.patience

    @torch.no_grad()
    def validate(self) -> float:
        """The loss under comparison on the validation part."""
        total = 0.0
        for index in torch.split(self.valid, _CHUNK):
            batch = self.rows(index)
            total += float(self.objective.own_loss(self.model(batch.profiles), batch)) * len(index)
        return total / len(self.valid)

    def restore_best(self) -> None:
        """Put the best weights back into model and objective."""
        with torch.no_grad():
            self.parameters.values.copy_(self.best)

    def fit(self, chosen: bool) -> Fit:
        """The course of this training as a value."""
        return Fit(
            lr=self.lr,
            train=tuple(self.train_curve),
            valid=tuple(self.valid_curve),
            best_epoch=self.best_epoch,
            chosen=chosen,
            seconds=self.seconds,
            diverged=self.diverged,
        )


def batches(train: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The rows of the training part in a new random order, in equal steps; a last lone row joins its neighbours."""
    order = train[torch.randperm(len(train), generator=generator)]
    return iter(order.tensor_split(max(1, round(len(order) / size))))


def train_best(
    make: Callable[[], tuple[Autoencoder, Objective]],
    spec: TrainingSpec,
    rows: Rows,
    train: Tensor,
    valid: Tensor,
    seed: int,
) -> tuple[Training, list[Fit]]:
    """Try every learning rate of the grid for some epochs, then carry on with the best on validation."""
    trainings = [Training(*make(), lr, spec, rows, valid, seed) for lr in spec.learning_rates]
    alone = len(trainings) == 1
    for training in trainings:
        training.epochs(train, spec.epochs if alone else min(spec.trial_epochs, spec.epochs))
    best = min(trainings, key=lambda training: training.best_loss)
    best.epochs(train, spec.epochs)
    best.restore_best()
    return best, [training.fit(training is best) for training in trainings]
