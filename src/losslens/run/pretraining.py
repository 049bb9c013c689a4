"""Greedy pretraining: each layer of the encoder learns, with its mirror in the decoder, to restore what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from losslens.models.autoencoders import Autoencoder
from losslens.models.corruptions import Reach, corrupt
from losslens.models.objective import Batch, Objective
from losslens.models.spec import CorruptionSpec
from losslens.vocabulary.errors import BadInput

_CHUNK = 512


@dataclass(frozen=True)
class Course:
    """How layers are pretrained.

    ``rows`` gives the batch of some positions in the training part, ``orders`` the positions of each batch of an epoch.
    With a ``corruption`` a layer sees corrupted inputs in its own training, and clean ones after it.
    """

    epochs: int
    lr: float
    corruption: CorruptionSpec | None
    noise: torch.Generator
    rows: Callable[[Tensor], Batch]
    orders: Callable[[], Iterator[Tensor]]
    samples: int


def pretrain(model: Autoencoder, objective: Objective, course: Course) -> list[list[float]]:
    """Train the layers from the lowest up, in place; the loss of each by epoch is given back.

    The lowest layer minimises the reconstruction loss of the objective, all others the squared error of what the layers
    below them give.

    Raises:
        BadInput: the model has no layers to train one by one.
    """
    (down, up), *higher = layers(model)
    profiles = _over_all(course, lambda batch: batch.profiles)
    curves = [_train(course, (down, up), _restores_profiles(model, objective, course, down, up, Reach.of(profiles)))]
    below = profiles - model.center
    for upper_down, upper_up in higher:
        below = _clean(down, below)
        curves.append(_train(course, (upper_down, upper_up), _restores(below, course, upper_down, upper_up)))
        down = upper_down
    return curves


def layers(model: Autoencoder) -> list[tuple[nn.Sequential, nn.Sequential]]:
    """Each layer of the encoder with what follows it, and its mirror in the decoder, from the lowest up."""
    down, up = (_blocks(part.paths[0]) for part in (model.encoder, model.decoder))  # type: ignore[arg-type]
    if len(model.encoder.paths) > 1 or model.variational or isinstance(down[0][0], nn.Unflatten):
        raise BadInput(
            expected="a plain chain of layers, to train them one by one",
            found="a linear path beside it, a posterior or convolutions",
            remedy="Use --models stacked with the plain network.",
        )
    return list(zip(down, up[::-1], strict=True))


def _blocks(path: nn.Sequential) -> list[nn.Sequential]:
    """A chain cut before every layer that has weights of its own or of another."""
    blocks: list[list[nn.Module]] = []
    for layer in path:
        if isinstance(layer, nn.Linear) or hasattr(layer, "source") or not blocks:
            blocks.append([])
        blocks[-1].append(layer)
    return [nn.Sequential(*block) for block in blocks]


def _restores_profiles(
    model: Autoencoder, objective: Objective, course: Course, down: nn.Sequential, up: nn.Sequential, reach: Reach
) -> Callable[[Tensor], Tensor]:
    def loss(index: Tensor) -> Tensor:
        batch = course.rows(index)
        given = batch if course.corruption is None else corrupt(batch, course.corruption, reach, course.noise)
        return objective.reconstruction_loss(up(down(given.inputs - model.center)), batch)

    return loss


def _restores(clean: Tensor, course: Course, down: nn.Sequential, up: nn.Sequential) -> Callable[[Tensor], Tensor]:
    reach = Reach.of(clean)

    def loss(index: Tensor) -> Tensor:
        batch = Batch(clean[index])
        given = batch if course.corruption is None else corrupt(batch, course.corruption, reach, course.noise)
        squared: Tensor = (up(down(given.inputs)) - batch.profiles).square()
        return squared.mean()

    return loss


def _train(course: Course, parts: tuple[nn.Sequential, ...], loss: Callable[[Tensor], Tensor]) -> list[float]:
    parameters = [parameter for part in parts for parameter in part.train().parameters()]
    optimiser, curve = torch.optim.Adam(parameters, course.lr), []
    for _ in range(course.epochs):
        total = 0.0
        for index in course.orders():
            value = loss(index)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(value.detach()) * len(index)
        curve.append(total / course.samples)
    return curve


@torch.no_grad()
def _clean(down: nn.Sequential, below: Tensor) -> Tensor:
    return torch.cat([down.eval()(rows) for rows in torch.split(below, _CHUNK)])


def _over_all(course: Course, of: Callable[[Batch], Tensor]) -> Tensor:
    return torch.cat([of(course.rows(index)) for index in torch.split(torch.arange(course.samples), _CHUNK)])
