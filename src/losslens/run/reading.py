"""What is read of a network of each kind for the diagnostics: a few validation rows, one pass forward.

The gradients are those that the last step of the epoch left, so that no pass backward is needed.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from losslens.losses import LOSSES
from losslens.measure.diagnostics import Reading, Readings
from losslens.models.autoencoders import Outputs
from losslens.models.methods import MethodEntry
from losslens.models.objective import Batch, Objective
from losslens.models.siamese import SiameseNetwork
from losslens.run.watch import Layers, array

if TYPE_CHECKING:
    from losslens.run.loop import Training
    from losslens.run.siamese import Pretraining

ROWS = 64


class AutoencoderReader:
    """Reads an autoencoder in evaluation mode, with the weights that are validated."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.layers = Layers(training.model)
        self.batch = training.rows(training.valid[:: -(-len(training.valid) // ROWS)])
        self.target = array(training.objective.target(self.batch))

    @property
    def epoch(self) -> int:
        """The epochs that are done."""
        return len(self.training.train_curve)

    @property
    def diverged(self) -> str:
        """What became not finite; empty if nothing did."""
        return self.training.diverged

    @torch.no_grad()
    def read(self) -> Reading:
        """One pass forward."""
        model, objective = self.training.model, self.training.objective
        model.eval()
        gradients = self.layers.gradients_left() if self.epoch else {}
        with self.training.parameters.averaged(), self.layers.seen() as seen:
            outputs = model(self.batch.profiles)
            linked = array(objective.linked(outputs.output, self.batch))
            output = array(_output(objective, outputs, self.batch))
        directions: dict[str, Any] = {"embedding": linked, "partner": self.target} if objective.head is not None else {}
        mean = array(outputs.mean) if model.variational and outputs.mean is not None else None
        return Reading(
            self.epoch,
            code=array(outputs.code),
            mean=mean,
            output=output,
            target=self.target,
            gradients=gradients,
            **seen,
            **directions,
        )

    def known(self) -> Readings:
        """What is known beside the looks."""
        training = self.training
        return Readings(
            train=tuple(training.train_curve),
            start=training.valid_curve[0] if training.valid_curve else None,
            valid=tuple(training.valid_curve[1:]),
            lr=training.lr,
            adaptive=True,
            warm_up=training.objective.warm_up,
            diverged=bool(training.diverged),
        )


def _output(objective: Objective, outputs: Outputs, batch: Batch) -> Tensor:
    """The output in the units of its target; of counts their mean, as an expected logarithm takes a quadrature."""
    if not objective.on_counts:
        return objective.reconstruct(outputs, batch)
    return objective.linked(outputs.output, batch)


class SiameseReader:
    """Reads a siamese network on the first rows of its probe; heads normalise by these rows, as in training."""

    def __init__(self, training: Pretraining) -> None:
        self.training = training
        self.layers = Layers(_learning(training.network))
        self.views = training.probe.first[:ROWS], training.probe.second[:ROWS]
        self.directed = compares_directions(training.entry)

    @property
    def epoch(self) -> int:
        """The epochs that are done."""
        return self.training.epoch

    @property
    def diverged(self) -> str:
        """What became not finite; empty if nothing did."""
        return self.training.diverged

    @torch.no_grad()
    def read(self) -> Reading:
        """One pass forward of a copy: nothing is left behind in the network. What is not finite is left out."""
        copied = copy.deepcopy(self.training.network).train()
        with Layers(_learning(copied)).seen() as seen:
            named = copied(*self.views)
            code = copied.encoder.encode(self.views[0])
        given = {"code": code, **({"embedding": named["p1"], "partner": named["t2"]} if self.directed else {})}
        finite: dict[str, Any] = {name: array(value) for name, value in given.items() if value.isfinite().all()}
        return Reading(self.epoch, **finite, **seen, gradients=self.layers.gradients_left() if self.epoch else {})

    def known(self) -> Readings:
        """The peak learning rate, as a schedule that ends at zero is meant to, and the curve of a loss that stays.

        The loss before the first step is of other batches. A loss against a target that moves may rise in a training
        that goes well.
        """
        training = self.training
        stays = training.entry.target == "shared"
        losses = tuple(value for value in training.course["loss"][1:] if value is not None) if stays else ()
        return Readings(train=losses, lr=training.training.learning_rates[0], diverged=bool(training.diverged))


def compares_directions(entry: MethodEntry) -> bool:
    """Whether a method's loss sees embeddings by their direction alone; those of a queue are divided by their norm.

    >>> from losslens.models.methods import METHODS
    >>> [name for name, entry in METHODS.items() if not compares_directions(entry)]
    ['barlow_twins', 'vicreg', 'dino']
    """
    return entry.memory == "queue" or all(LOSSES[term.loss].scale_invariant for term in entry.terms)


def _learning(network: SiameseNetwork) -> nn.Module:
    """The parts that gradients reach, from the first layer to the last, without the slow copy."""
    return nn.ModuleDict({name: getattr(network, name) for name in ("encoder", "projector", "predictor")})
