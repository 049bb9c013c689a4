"""The training loop, on one screen, and the choice of the learning rate on the validation part."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from losslens.models.autoencoders import Autoencoder
from losslens.models.objective import Batch, Objective, outputs_of
from losslens.run.batches import Rows, chunks, shuffled
from losslens.run.network import Adam, FlatParameters, Gradients
from losslens.run.pretraining import Course, pretrain
from losslens.run.spec import Fit, TrainingSpec
from losslens.run.watching import Watching

Corrupt = Callable[[Batch, torch.Generator], Batch]


class Training:
    """One network under one learning rate; can be continued epoch by epoch and keeps its best weights."""

    def __init__(
        self,
        model: Autoencoder,
        objective: Objective,
        lr: float,
        spec: TrainingSpec,
        rows: Rows,
        train: Tensor,
        valid: Tensor,
        seed: int,
        corrupt: Corrupt | None = None,
    ) -> None:
        began = time.perf_counter()
        if spec.pretraining:
            pretrain(model, objective, Course.of(spec, lr, rows, train, seed))
        self.model, self.objective, self.lr, self.spec = model, objective, lr, spec
        self.rows, self.train, self.valid, self.seed = rows, train, valid, seed
        self.corrupt = corrupt or (lambda batch, _: batch)
        self.parameters = FlatParameters(model, objective, average=spec.average)
        self.gradients = Gradients(model, objective)
        self.optimiser = Adam(self.parameters, lr, spec.weight_decay)
        self.order, self.noise = (torch.Generator().manual_seed(seed + part) for part in (0, 1))
        self.train_curve: list[float] = []
        self.best_loss, self.best_epoch = self.validate(), 0
        self.best, finite = self.parameters.kept(), math.isfinite(self.best_loss)
        self.valid_curve = [self.best_loss] if finite else []
        self.diverged = "" if finite else f"the validation loss was not finite before epoch 1 at learning rate {lr:g}"
        self.watching: Watching | None = None
        self.seconds = time.perf_counter() - began

    def epochs(self, until: int) -> None:
        """Train up to epoch ``until``, or until patience ends or a value stops being finite."""
        began = time.perf_counter()
        while len(self.train_curve) < until and not self.diverged and not self.is_patience_over:
            total, self.objective.epoch = 0.0, len(self.train_curve)
            torch.manual_seed(self.seed + self.objective.epoch)  # of dropout: the same for all candidates
            self.model.train()
            for index in shuffled(self.train, self.spec.batch, self.order):
                batch = self.corrupt(self.rows(index), self.noise)
                loss = self.gradients(batch, self.noise)  # outputs, objective, backward
                self.optimiser.step()
                total += float(loss) * len(index)
            self.record(total / len(self.train))
            if self.watching:
                self.watching.look()
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
            self.best = self.parameters.kept()

    @property
    def is_patience_over(self) -> bool:
        """Whether the last ``patience`` epochs brought nothing; not before all terms have their full weight."""
        since = max(self.best_epoch, self.objective.warm_up)
        return len(self.train_curve) - since >= self.spec.patience

    def validate(self) -> float:
        """The objective under comparison on the validation part, at full weights and under the same noise each time."""
        self.model.eval()
        self.objective.epoch = None
        noise, total = torch.Generator().manual_seed(self.seed), 0.0
        with self.parameters.averaged(), torch.set_grad_enabled(self.objective.asks_for_inputs):
            for index in chunks(self.valid):
                batch = self.rows(index)
                outputs = outputs_of(self.model, self.objective, batch.inputs, noise)
                total += float(self.objective.own_loss(outputs, batch).detach()) * len(index)
        return total / len(self.valid)

    def restore_best(self) -> None:
        """Put the best weights back into model and objective."""
        self.parameters.restore(self.best)
        self.model.eval()

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


def train_best(
    make: Callable[[], tuple[Autoencoder, Objective]],
    spec: TrainingSpec,
    rows: Rows,
    train: Tensor,
    valid: Tensor,
    seed: int,
    corrupt: Corrupt | None = None,
    watch: Callable[[Training], Watching] | None = None,
) -> tuple[Training, list[Fit]]:
    """Try every learning rate of the grid for some epochs at full weights, then carry on with the best of them."""
    trainings = [Training(*make(), lr, spec, rows, train, valid, seed, corrupt) for lr in spec.learning_rates]
    alone = len(trainings) == 1
    for training in trainings:
        training.watching = watch(training) if watch else None
        race = spec.epochs if alone else spec.trial_epochs + training.objective.warm_up
        training.epochs(min(race, spec.epochs))
    best = min(trainings, key=lambda training: training.best_loss if training.valid_curve else math.inf)
    if best.watching:
        best.watching.speak()
    best.epochs(spec.epochs)
    if best.watching:
        best.watching.close()
    best.restore_best()
    return best, [training.fit(training is best) for training in trainings]
