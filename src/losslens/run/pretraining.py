"""Greedy pretraining: each layer of the encoder learns, with its mirror in the decoder, to restore what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from losslens.models.autoencoders import Autoencoder
from losslens.models.corruptions import Reach, corrupt
from losslens.models.layers import Transposed
from losslens.models.objective import Batch, Objective
from losslens.models.spec import CorruptionSpec
from losslens.run.batches import Rows, chunks, shuffled
from losslens.run.spec import TrainingSpec
from losslens.vocabulary.errors import BadInput


@dataclass(frozen=True)
class Course:
    """How layers are pretrained, on which rows; two generators draw the order of rows and the corruption."""

    epochs: int
    batch: int
    lr: float
    corruption: CorruptionSpec | None
    rows: Rows
    train: Tensor
    order: torch.Generator
    noise: torch.Generator

    @classmethod
    def of(cls, spec: TrainingSpec, lr: float, rows: Rows, train: Tensor, seed: int) -> Course:
        """What the spec of a training asks for."""
        order, noise = (torch.Generator().manual_seed(seed + part) for part in (2, 3))  # 0 and 1: the training after it
        return cls(spec.pretraining, spec.batch, lr, spec.pretraining_corruption, rows, train, order, noise)

    def seen(self, batch: Batch, reach: Reach) -> Batch:
        """The batch as a layer in training sees it."""
        return batch if self.corruption is None else corrupt(batch, self.corruption, reach, self.noise)


class Layer(nn.Module):
    """A layer of the encoder and its mirror in the decoder, each with what follows it, but without dropout.

    Corruption is the noise of pretraining; dropout would also hit what the mirror restores.
    """

    def __init__(self, down: list[nn.Module], up: list[nn.Module]) -> None:
        super().__init__()
        self.down, self.up = (nn.Sequential(*(p for p in part if not isinstance(p, nn.Dropout))) for part in (down, up))

    def forward(self, x: Tensor) -> Tensor:
        """What it restores of its input."""
        return self.up(self.down(x))  # type: ignore[no-any-return]


def pretrain(model: Autoencoder, objective: Objective, course: Course) -> list[list[float]]:
    """Train the layers from the lowest up, in place; the loss of each by epoch is given back.

    The lowest layer minimises the reconstruction loss of the objective, all others the squared error of what the layers
    below them give for clean profiles. With a corruption a layer sees its input corrupted, in its own training only.

    Raises:
        BadInput: the model has no layers to train one by one.
    """
    lower, *others = layers(model)
    profiles = torch.cat([course.rows(index).profiles for index in chunks(course.train)])
    curves = [_train_lowest(lower, model, objective, course, Reach.of(profiles))]
    below = profiles - model.center
    for layer in others:
        below = _given(lower, below)
        curves.append(_train_upper(layer, below, course))
        lower = layer
    return curves


@torch.no_grad()
def _given(lower: Layer, below: Tensor) -> Tensor:
    return torch.cat([lower.eval().down(rows) for rows in chunks(below)])


def layers(model: Autoencoder) -> list[Layer]:
    """The layers of a network from the lowest up."""
    down, up = (_cut(part.paths[0]) for part in (model.encoder, model.decoder))  # type: ignore[arg-type]
    if len(model.encoder.paths) > 1 or model.variational or isinstance(down[0][0], nn.Unflatten):
        raise BadInput(
            expected="a plain chain of layers, to train them one by one",
            found="a linear path beside it, a posterior or convolutions",
            remedy="Use --models stacked with the plain network.",
        )
    return [Layer(*pair) for pair in zip(down, up[::-1], strict=True)]


def _cut(path: nn.Sequential) -> list[list[nn.Module]]:
    """A chain cut before every layer that has weights of its own or of another."""
    blocks: list[list[nn.Module]] = []
    for layer in path:
        if isinstance(layer, nn.Linear | Transposed) or not blocks:
            blocks.append([])
        blocks[-1].append(layer)
    return blocks


def _train_lowest(layer: Layer, model: Autoencoder, objective: Objective, course: Course, reach: Reach) -> list[float]:
    def loss(index: Tensor) -> Tensor:
        batch = course.seen(course.rows(index), reach)
        return objective.reconstruction_loss(layer(batch.inputs - model.center), batch)

    return _train(layer, loss, course.train, course)


def _train_upper(layer: Layer, clean: Tensor, course: Course) -> list[float]:
    reach = Reach.of(clean)

    def loss(index: Tensor) -> Tensor:
        batch = course.seen(Batch(clean[index]), reach)
        squared: Tensor = (layer(batch.inputs) - batch.profiles).square()
        return (squared if batch.weight is None else squared * batch.weight).mean()

    return _train(layer, loss, torch.arange(len(clean)), course)


def _train(layer: Layer, loss: Callable[[Tensor], Tensor], rows: Tensor, course: Course) -> list[float]:
    optimiser, curve = torch.optim.Adam(layer.train().parameters(), course.lr), []
    for _ in range(course.epochs):
        total = 0.0
        for index in shuffled(rows, course.batch, course.order):
            value = loss(index)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(value.detach()) * len(index)
        curve.append(total / len(rows))
    return curve
