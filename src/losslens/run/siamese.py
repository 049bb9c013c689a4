"""Pretraining of a siamese network: the loop, on one screen, which stops and continues after any epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from losslens.models.backbones import Encoder
from losslens.models.methods import METHODS
from losslens.models.objective import Batch
from losslens.models.siamese import MethodObjective, SiameseNetwork
from losslens.models.spec import ModelSpec
from losslens.models.views import Views
from losslens.run.batches import Rows, chunks, shuffled
from losslens.run.checkpoint import State
from losslens.run.course import ROWS, TRAINING_ROWS, Course, Probe, is_read, numbered
from losslens.run.prepared import Prepared
from losslens.run.reading import SiameseReader
from losslens.run.spec import Fit, TrialResult, TrialSpec
from losslens.run.watching import Watching, packed, unpacked
from losslens.vocabulary.errors import BadInput

CHECKPOINT_SECONDS = 10.0
MOMENTUM = 0.9
NORMALISING = (nn.BatchNorm1d, nn.BatchNorm2d)

Watch = Callable[[int, Course], None]  # the epoch that was done, readings up to it


@dataclass(frozen=True)
class Watched:
    """Who looks on while a network is pretrained, and the file that keeps its state."""

    watch: Watch = lambda epoch, course: None
    checkpoint: Path | None = None


UNSEEN = Watched()


class Pretraining:
    """A siamese network on its way, its readings by epoch; index 0 is before the first step."""

    def __init__(self, spec: TrialSpec, data: Prepared, seed: int) -> None:
        assert spec.training is not None
        assert spec.method is not None
        self.spec, self.training, self.seed = spec, spec.training, seed
        self.entry = entry = METHODS[spec.method.name]
        self.views = Pairs(Views(spec.method.views), spec.model)
        counted = any(entry.needs_counts for entry in self.views.views.entries)
        self.rows = data.batches(counted, self.training.device)
        self.train = torch.from_numpy(data.split.train)
        torch.manual_seed(seed)
        self.network = SiameseNetwork(spec.model, spec.method, data.features)
        self.objective = MethodObjective(spec.method)
        self.network.centre(data.profiles(self.train).mean(0))
        self.network.to(self.training.device), self.objective.to(self.training.device)
        calibrate(self.network.encoder, self.rows, self.train)
        rate, constant = self.training.learning_rates[0], entry.constant
        head, rest = self.network.predictor.parameters(), [self.network.encoder.backbone, self.network.projector]
        groups = [{"params": [p for part in rest for p in part.parameters()], "follows": True},
                  {"params": [*head], "follows": not constant}]  # fmt: skip
        self.optimiser = torch.optim.SGD(
            [group for group in groups if group["params"]],
            rate, MOMENTUM, weight_decay=self.training.weight_decay, nesterov=entry.nesterov,
        )  # fmt: skip
        self.order, self.noise = (torch.Generator().manual_seed(seed + part) for part in (0, 1))
        self.steps = sum(1 for _ in shuffled(self.train, self.training.batch, torch.Generator()))
        self.epoch, self.seconds, self.diverged = 0, 0.0, ""
        self.probe = _probe(self, data)
        self.course: Course = {name: [value] for name, value in self.probe.read(self.network, self.objective).items()}
        self.watching = Watching(spec, SiameseReader(self))

    def run(self, looking: Watched = UNSEEN) -> None:
        """Train to the last epoch, or until a value is not finite; a file keeps the state now and then."""
        began = saved = time.perf_counter()
        self.watching.speak()
        while self.epoch < self.training.epochs and not self.diverged:
            loss = self.one_epoch()
            self.record(loss)
            looking.watch(self.epoch, self.course)
            now = time.perf_counter()
            last = self.epoch == self.training.epochs
            if looking.checkpoint and (last or now - saved > CHECKPOINT_SECONDS):
                self.seconds, began, saved = self.seconds + now - began, now, now
                self.save(looking.checkpoint)
        self.seconds += time.perf_counter() - began
        self.network.eval()

    def one_epoch(self) -> float:
        """Every training row once, under two views; returns the mean loss."""
        total, step = 0.0, self.epoch * self.steps
        torch.manual_seed(self.seed + self.epoch)  # of dropout
        self.network.train()
        for index in shuffled(self.train, self.training.batch, self.order):
            first, second = self.views(self.rows(index), self.noise)
            named = self.network(first, second)
            loss = self.objective(named)
            self.optimiser.zero_grad()
            torch.autograd.backward(loss)
            self.set_rate(step)
            self.optimiser.step()
            self.network.follow(self.momentum(step))
            self.objective.update(named)
            total, step = total + float(loss.detach()) * len(index), step + 1
        return total / len(self.train)

    def record(self, loss: float) -> None:
        """Add an epoch to the readings; the loss is that of training once there is one."""
        self.epoch += 1
        if not math.isfinite(loss):
            self.diverged = f"the training loss was not finite in epoch {self.epoch}"
        read = {} if self.diverged or not is_read(self.epoch, self.training.epochs) else self._read()
        for name, values in self.course.items():
            values.append(read.get(name))
        self.course["loss"][-1] = None if self.diverged else loss
        self.watching.look()
        if self.epoch == self.training.epochs:
            self.watching.close()

    def _read(self) -> dict[str, float | None]:
        return self.probe.read(self.network, self.objective)

    def set_rate(self, step: int) -> None:
        """The learning rate of a step; the predictor's stays where the method says so."""
        share = scheduled(step, self.steps * self.training.epochs, self.entry.warm_up)
        for group in self.optimiser.param_groups:
            group["lr"] = self.training.learning_rates[0] * (share if group["follows"] else 1.0)

    def momentum(self, step: int) -> float:
        """How much of itself the slow copy keeps at a step; rises to one as a half cosine where the method says so."""
        assert self.spec.method is not None
        kept, steps = self.spec.method.momentum, self.steps * self.training.epochs
        return (
            1.0 - (1.0 - kept) * (math.cos(math.pi * step / steps) + 1.0) / 2.0 if self.entry.momentum_rises else kept
        )

    def result(self) -> TrialResult:
        """What is known once training is over; what was measured is still to come."""
        trained = (part.numel() for part in self.network.parameters() if part.requires_grad)
        course = {name: tuple(values) for name, values in self.course.items()}
        return TrialResult(
            spec=self.spec,
            status="ok",
            course=course,
            fits=(self._fit(),),
            parameters=sum(trained),
            seconds=self.seconds,
            findings=self.watching.findings(),
        )

    def _fit(self) -> Fit:
        """Its own loss alone, as a lower one is not a better code."""
        return Fit(
            lr=self.training.learning_rates[0],
            train=tuple(value for value in self.course["loss"] if value is not None),
            valid=(),
            best_epoch=self.epoch,
            chosen=True,
            seconds=self.seconds,
            diverged=self.diverged,
        )

    def save(self, path: Path) -> None:
        """Write everything that the next epochs depend on."""
        looks, arrays = packed(self.watching.looks)
        about = {"epoch": self.epoch, "seconds": self.seconds, "diverged": self.diverged, "course": self.course}
        tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
        self._state(tensors).save(path, {**about, "looks": looks})

    def load(self, path: Path) -> bool:
        """Continue from a file of the same trial; whether there was one that could be read."""
        state = self._state({})
        about = state.load(path)
        if about is None:
            return False
        self.epoch, self.seconds, self.diverged = about["epoch"], about["seconds"], about["diverged"]
        self.course = about["course"]
        self.watching.looks = unpacked(about["looks"], {name: value.numpy() for name, value in state.arrays.items()})
        return True

    def _state(self, arrays: dict[str, Tensor]) -> State:
        parts = {"network": self.network, "objective": self.objective}
        return State(self.spec.id, parts, self.optimiser, {"order": self.order, "noise": self.noise}, arrays)


def scheduled(step: int, steps: int, warm_up: float) -> float:
    """The share of the peak rate at a step: linear over the first share of steps, then half a cosine down to zero.

    >>> [round(scheduled(step, 10, 0.2), 3) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.038]
    """
    rise = round(warm_up * steps)
    if step < rise:
        return (step + 1) / rise
    return (1.0 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2.0


@dataclass(frozen=True)
class Pairs:
    """Two views of flat rows; views of images are given images, those of series channels by length."""

    views: Views
    model: ModelSpec

    def __call__(self, batch: Batch, noise: torch.Generator) -> tuple[Tensor, Tensor]:
        """(batch, features) -> the same shape, twice."""
        shown = batch.profiles.reshape(len(batch.profiles), *(self.model.grid or (-1,)))
        first, second = (self.views(shown, noise, batch.scale).flatten(1) for _ in range(2))
        return first, second


@torch.no_grad()
def viewed(training: Pretraining, data: Prepared) -> tuple[Any, Any]:
    """Codes of the held-out rows under two views, (rows, code) each."""
    noise, encoder = torch.Generator().manual_seed(training.seed + 3), training.network.encoder
    pairs = [training.views(training.rows(part), noise) for part in chunks(torch.from_numpy(data.split.test))]
    first, second = (torch.cat([encoder.encode(view) for view in views]) for views in zip(*pairs, strict=True))
    return first.cpu().numpy(), second.cpu().numpy()


@torch.no_grad()
def calibrate(encoder: Encoder, rows: Rows, train: Tensor) -> None:
    """Set the statistics of the backbone's batch normalisation to those of the training rows, before the first step.

    They are the mean over large pieces of about equal size, as training would have them in the long run. So an
    untrained encoder is judged by what its weights are, and not by statistics that nobody had set.

    Raises:
        BadInput: a single row, which has no variance.
    """
    if len(train) < 2:
        raise BadInput(
            expected="two training samples or more, for self-supervised methods",
            found=str(len(train)),
            remedy="Leave the group column out, or name one whose groups are smaller.",
        )
    layers = [part for part in encoder.modules() if isinstance(part, NORMALISING)]
    usual = [layer.momentum for layer in layers]
    encoder.eval()
    for layer in layers:
        layer.train().momentum = None  # a plain mean over all that it sees
    pieces = math.ceil(len(train) / ROWS)
    for first in range(pieces):
        encoder.encode(rows(train[first::pieces]).profiles)
    for layer, momentum in zip(layers, usual, strict=True):
        layer.momentum = momentum
    encoder.eval()


def _probe(training: Pretraining, data: Prepared) -> Probe:
    valid = torch.from_numpy(data.split.valid)
    noise = torch.Generator().manual_seed(training.seed + 2)
    drawn = training.train[torch.randperm(len(training.train), generator=noise)[:TRAINING_ROWS]]
    shown = valid if len(valid) > 1 else drawn  # heads cannot normalise by a single row
    pair = training.views(training.rows(shown[:ROWS]), noise)
    return Probe(*pair, training.rows, drawn, valid[:TRAINING_ROWS], numbered(data.labels))
