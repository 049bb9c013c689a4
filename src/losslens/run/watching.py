"""Readings of the trainings of a comparison: a few validation rows, one pass forward, on a schedule."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from losslens.measure.diagnostics import Reading, Readings, is_read, judged
from losslens.measure.findings import Finding
from losslens.models.autoencoders import Outputs
from losslens.models.objective import Batch, Objective
from losslens.run.listening import LISTENER
from losslens.run.spec import TrialSpec
from losslens.run.watch import Layers, Live, array

if TYPE_CHECKING:
    from losslens.run.loop import Training

ROWS = 64


class Watching:
    """Looks at one training of a trial after some of its epochs; takes no part in it.

    The gradients are those that the last step of the epoch left, so that no pass backward is needed.
    """

    def __init__(self, spec: TrialSpec, training: Training) -> None:
        self.spec, self.training = spec, training
        self.layers = Layers(training.model)
        self.batch = training.rows(training.valid[:: -(-len(training.valid) // ROWS)])
        self.target = array(training.objective.target(self.batch))
        self.looks: list[Reading] = []
        self.live = Live(None)
        self.read()

    def look(self) -> None:
        """Take a reading if the epoch is one of the schedule."""
        if is_read(len(self.training.train_curve)) and not self.training.diverged:
            self.read()

    def speak(self) -> None:
        """From now on tell what arises: this training has won the race of learning rates."""
        tell = LISTENER.get()
        self.live = Live(tell and partial(tell, self.spec))

    @torch.no_grad()
    def read(self) -> None:
        """One pass forward, in evaluation mode and with the weights that are validated."""
        model, objective, epoch = self.training.model, self.training.objective, len(self.training.train_curve)
        model.eval()
        gradients = self.layers.gradients_left() if epoch else {}
        with self.training.parameters.averaged(), self.layers.seen() as seen:
            outputs = model(self.batch.profiles)
            linked = array(objective.linked(outputs.output, self.batch))
            output = array(_output(objective, outputs, self.batch))
        directions: dict[str, Any] = {"embedding": linked, "partner": self.target} if objective.head is not None else {}
        mean = array(outputs.mean) if model.variational and outputs.mean is not None else None
        self.looks.append(
            Reading(
                epoch,
                code=array(outputs.code),
                mean=mean,
                output=output,
                target=self.target,
                gradients=gradients,
                **seen,
                **directions,
            )
        )
        self.live.hear(self.readings(finished=False))

    def readings(self, *, finished: bool = True) -> Readings:
        """Everything that was read so far."""
        training = self.training
        return Readings(
            looks=tuple(self.looks),
            train=tuple(training.train_curve),
            start=training.valid_curve[0] if training.valid_curve else None,
            valid=tuple(training.valid_curve[1:]),
            lr=training.lr,
            adaptive=True,
            warm_up=training.objective.warm_up,
            diverged=bool(training.diverged),
            finished=finished,
        )

    def close(self) -> None:
        """Read the last epoch, if the schedule left it out: before the best weights are put back."""
        if self.looks[-1].epoch < len(self.training.train_curve) and not self.training.diverged:
            self.read()

    def findings(self) -> tuple[Finding, ...]:
        """What the training shows; fine ones are included."""
        return judged(self.readings(), self.spec)


def _output(objective: Objective, outputs: Outputs, batch: Batch) -> Tensor:
    """The output in the units of its target; of counts their mean, as an expected logarithm takes a quadrature."""
    if not objective.on_counts:
        return objective.reconstruct(outputs, batch)
    return objective.linked(outputs.output, batch)
