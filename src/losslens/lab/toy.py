"""A toy set with rare and frequent classes, and a small network trained on it by contrast: norms that can be explained.

After the toy experiment of Draganov et al., arXiv 2502.09252, notebook Simulations; points that the network has not
seen are this library's addition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from losslens.losses.contrastive import info_nce
from losslens.losses.profile import unit
from losslens.models.threads import one_thread

NEIGHBOURS = 10


@dataclass(frozen=True)
class Toy:
    """Sizes of the toy experiment.

    >>> losslens.lab.Toy().frequencies
    (1, 2, 4, 8)
    """

    frequencies: tuple[int, ...] = (1, 2, 4, 8)
    latent: int = 10
    observed: int = 64
    hidden: int = 64
    points: int = 2000
    temperature: float = 1.0
    learning_rate: float = 0.01
    batch: int = 128
    epochs: int = 100


class ToyRun(NamedTuple):
    """One trained network: mean norm of each class by epoch, and of unseen points norms, labels and neighbours' vote.

    >>> run = losslens.lab.train_toy(losslens.lab.Toy(points=100, epochs=2), seed=0)
    >>> run.class_norms.shape, run.norms.shape
    (torch.Size([3, 4]), torch.Size([100]))
    """

    class_norms: Tensor  # (epochs + 1, classes)
    norms: Tensor
    labels: Tensor
    said: Tensor

    @property
    def right(self) -> Tensor:
        """Whether the neighbours' vote is a point's class."""
        return self.said == self.labels


class ToyData(NamedTuple):
    """Observed points and their classes, twice as many as asked for.

    >>> losslens.lab.toy_data(losslens.lab.Toy(points=50), seed=0).values.shape
    torch.Size([100, 64])
    """

    values: Tensor
    labels: Tensor


def toy_data(toy: Toy, seed: int) -> ToyData:
    """Directions around the classes' centres, seen through a random linear map; classes by their frequency.

    A latent point is a centre on the unit sphere plus standard normal noise, divided by its norm. It is observed
    through a matrix of standard normal numbers, times 10.

    >>> counts = losslens.lab.toy_data(losslens.lab.Toy(points=7500), seed=0).labels.bincount()
    >>> (counts / 1000).round().tolist()
    [1.0, 2.0, 4.0, 8.0]
    """
    generator = torch.Generator().manual_seed(seed)
    centres = unit(torch.randn(len(toy.frequencies), toy.latent, generator=generator))
    frequencies = torch.tensor(toy.frequencies, dtype=torch.float32)
    labels = torch.multinomial(frequencies, 2 * toy.points, replacement=True, generator=generator)
    noise = torch.randn(len(labels), toy.latent, generator=generator)
    seen = torch.randn(toy.latent, toy.observed, generator=generator)
    return ToyData(10.0 * unit(centres[labels] + noise) @ seen, labels)


@one_thread()
def train_toy(toy: Toy, *, seed: int, decay: float = 0.0) -> ToyRun:
    """Train a perceptron of one hidden layer so that points of one class find each other (InfoNCE), by plain SGD.

    Half of the points are trained on; the partner of each is a random training point of its class. ``decay`` is the
    weight decay of the optimiser. The vote is that of the 10 nearest training points by cosine.

    >>> run = losslens.lab.train_toy(losslens.lab.Toy(points=500, epochs=5), seed=0)
    >>> bool(run.right.float().mean() > 0.4)
    True
    """
    values, labels = toy_data(toy, seed)
    seen, unseen = slice(None, toy.points), slice(toy.points, None)
    generator = torch.Generator().manual_seed(2**31 + seed)  # other numbers than those of the data
    network = _network(toy, generator)
    optimiser = torch.optim.SGD(network.parameters(), lr=toy.learning_rate, weight_decay=decay)
    courses = [_class_norms(network(values[seen]), labels[seen], len(toy.frequencies))]
    for _ in range(toy.epochs):
        partners = _partners(labels[seen], generator)
        for chosen in torch.split(torch.randperm(toy.points, generator=generator), toy.batch):
            optimiser.zero_grad()
            a, b = network(values[chosen]), network(values[partners[chosen]])
            torch.autograd.backward(info_nce(a, b, temperature=toy.temperature))
            optimiser.step()
        courses.append(_class_norms(network(values[seen]), labels[seen], len(toy.frequencies)))
    with torch.no_grad():
        known, asked = network(values[seen]), network(values[unseen])
    said = neighbours_vote(asked, known, labels[seen])
    return ToyRun(torch.stack(courses), asked.norm(dim=1), labels[unseen], said)


def neighbours_vote(codes: Tensor, known: Tensor, labels: Tensor, *, neighbours: int = NEIGHBOURS) -> Tensor:
    """What most of the nearest known codes by cosine are labelled; of equal votes the smaller label.

    Shapes: (codes, units), (known, units), (known,) -> (codes,).

    >>> known, labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([5, 7])
    >>> losslens.lab.neighbours_vote(torch.tensor([[0.1, 9.0]]), known, labels, neighbours=1)
    tensor([7])
    """
    nearest = (unit(codes) @ unit(known).T).topk(min(neighbours, len(known)), dim=1).indices
    return nn.functional.one_hot(labels[nearest]).sum(1).argmax(1)


def _network(toy: Toy, generator: torch.Generator) -> nn.Sequential:
    """Initialised as PyTorch does, without touching its global random numbers."""
    with torch.random.fork_rng([]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        return nn.Sequential(nn.Linear(toy.observed, toy.hidden), nn.ReLU(), nn.Linear(toy.hidden, toy.latent))


def _partners(labels: Tensor, generator: torch.Generator) -> Tensor:
    """For each point another (or the same) of its class."""
    partners = torch.empty_like(labels)
    for label in torch.unique(labels):
        members = (labels == label).nonzero().squeeze(1)
        partners[members] = members[torch.randint(len(members), (len(members),), generator=generator)]
    return partners


def _class_norms(codes: Tensor, labels: Tensor, classes: int) -> Tensor:
    norms = codes.detach().norm(dim=1)
    return torch.stack([norms[labels == label].mean() for label in range(classes)])
