"""One record for each diagnostic: a training in which its fault was planted, and one without. All are real and tiny."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import losslens
from losslens.measure.diagnostics import Readings, is_read
from losslens.models.autoencoders import Autoencoder
from losslens.models.objective import Batch, Objective
from losslens.models.spec import ModelSpec, ObjectiveSpec, TermSpec
from losslens.run.loop import Training
from losslens.run.reading import AutoencoderReader
from losslens.run.spec import SplitSpec, TrainingSpec, TransformSpec, TrialSpec
from losslens.run.watching import Watching

FEATURES, SAMPLES, VALID = 20, 160, 40
Plant = Callable[[Autoencoder], None]


# --- autoencoders, in the loop of a comparison -----------------------------------------------------------------------


def low_rank(seed: int, scale: float = 1.0, rank: int = 16) -> Tensor:
    """Samples on hidden features, with some noise."""
    chance = torch.Generator().manual_seed(seed)
    hidden = torch.randn(SAMPLES, rank, generator=chance) @ torch.randn(rank, FEATURES, generator=chance) / rank**0.5
    return scale * (hidden + 0.1 * torch.randn(SAMPLES, FEATURES, generator=chance))


def trial(lr: float = 1e-2, epochs: int = 6, objective: Any = None, **network: Any) -> TrialSpec:
    """What a comparison would call such a training."""
    return TrialSpec(
        data="planted",
        transform=TransformSpec(name="none"),
        split=SplitSpec(repeat=0),
        model=ModelSpec(**{"hidden": (24,), "code": 16} | network),
        objective=ObjectiveSpec(**{"loss": "mse"} | (objective or {})),
        training=TrainingSpec(learning_rates=(lr,), batch=20, epochs=epochs, patience=epochs),
    )


def watched(
    seed: int, spec: TrialSpec, plant: Plant = lambda model: None, x: Tensor | None = None, train: int = SAMPLES - VALID
) -> tuple[Training, Watching]:
    """A training of a trial's network, with its watch; the fault is planted before the first step."""
    assert spec.training is not None
    assert spec.objective is not None
    rows = low_rank(seed) if x is None else x
    torch.manual_seed(seed)
    model = Autoencoder.build(spec.model, FEATURES)
    with torch.no_grad():
        plant(model)
    objective = Objective(spec.objective, FEATURES, spec.model.code)
    parts = torch.arange(train), torch.arange(SAMPLES - VALID, SAMPLES)
    rate = spec.training.learning_rates[0]
    training = Training(model, objective, rate, spec.training, lambda index: Batch(rows[index]), *parts, seed)
    training.watching = Watching(spec, AutoencoderReader(training))
    return training, training.watching


def autoencoder(
    seed: int, plant: Plant = lambda model: None, data: Any = low_rank, train: int = SAMPLES - VALID, **options: Any
) -> Readings:
    """The readings of a whole training."""
    spec = trial(**options)
    training, watching = watched(seed, spec, plant, data(seed), train)
    training.epochs(spec.training.epochs)
    watching.close()
    return watching.readings()


def dead(model: Autoencoder) -> None:
    """Nothing reaches the hidden layer of the encoder."""
    model.encoder.paths[0][0].bias.fill_(-50.0)


def times(factor: float, model: Autoencoder) -> None:
    """All weights multiplied."""
    for weight in model.parameters():
        weight.mul_(factor)


def terms(weight: float) -> dict[str, Any]:
    """A divergence from the prior with this weight."""
    return {"terms": (TermSpec(loss="kl_standard_normal", weight=weight),)}


# --- loops of one's own, through losslens.Watch ----------------------------------------------------------------------


class Pairs(nn.Module):
    """Freely moving pairs of vectors."""

    def __init__(self, seed: int, norm: float) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(seed)
        both = (functional.normalize(torch.randn(40, 16, generator=chance), dim=1) for _ in range(2))
        self.left, self.right = (nn.Parameter(norm * one) for one in both)


def pairs(seed: int, norm: float = 1.0, lr: float = 0.02, sign: float = 1.0, adaptive: bool = False) -> Readings:
    """Pairs that attract each other (or, with a negative sign, push each other away) by their cosine."""
    model = Pairs(seed, norm)
    optimiser = (torch.optim.Adam if adaptive else torch.optim.SGD)(model.parameters(), lr)
    watch = losslens.Watch(model, lr=lr, adaptive=adaptive)
    for epoch in range(4):
        for _ in range(20 if epoch else 0):
            loss = -sign * functional.cosine_similarity(model.left, model.right).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        watch.read(epoch, embedding=model.left, partner=model.right)
    return watch.readings()


def views(seed: int, negatives: bool) -> Readings:
    """An encoder of noisy views: with negatives, or with nothing that prevents collapse."""
    torch.manual_seed(seed)
    x = low_rank(seed)[:64]
    model = nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, 8))
    optimiser, watch = torch.optim.Adam(model.parameters(), 1e-2), losslens.Watch(model, lr=1e-2, adaptive=True)
    for epoch in range(6):
        for _ in range(15 if epoch else 0):
            one, other = (functional.normalize(model(x + 0.5 * torch.randn_like(x)), dim=1) for _ in range(2))
            like = one @ other.T
            loss = functional.cross_entropy(like / 0.2, torch.arange(64)) if negatives else -like.diagonal().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if is_read(epoch):
            watch.read(epoch, embedding=model(x), partner=model(x + 0.5 * torch.randn_like(x)))
    return watch.readings()


def triplets(seed: int, collapsed: bool) -> Readings:
    """An encoder of two classes under a triplet loss; collapsed, it begins at one point and stays there."""
    torch.manual_seed(seed)
    x, margin = torch.randn(3, 60, FEATURES), 1.0
    x[:2, :, 0] += 4.0
    model = nn.Sequential(nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, 4))
    if collapsed:
        with torch.no_grad():
            model[2].weight.zero_()
    optimiser = torch.optim.Adam(model.parameters(), 1e-6 if collapsed else 1e-2)
    watch = losslens.Watch(model, margin=margin)
    for epoch in range(1, 7):
        for _ in range(5):
            loss = functional.triplet_margin_loss(*(model(part) for part in x), margin=margin)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        watch.read(epoch, train_loss=float(loss.detach()))
    return watch.readings()


# --- the records -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """From a seed to the readings of a training with the fault, and of one without."""

    planted: Callable[[int], Readings]
    healthy: Callable[[int], Readings]


longer = partial(autoencoder, epochs=30)
CASES = {
    "learning_rate_too_high": Case(partial(autoencoder, lr=3.0), autoencoder),
    "learning_rate_too_low": Case(partial(autoencoder, lr=1e-6, epochs=10), longer),
    "over_fitting": Case(partial(autoencoder, train=10, hidden=(64,), code=2, epochs=60), longer),
    "stuck_at_margin": Case(partial(triplets, collapsed=True), partial(triplets, collapsed=False)),
    "cosine_gradient_fading": Case(partial(pairs, norm=60.0), pairs),
    "norm_growth": Case(partial(pairs, norm=0.02, adaptive=True), partial(pairs, adaptive=True)),
    "opposite_halves": Case(partial(pairs, lr=0.2, sign=-1.0), partial(pairs, lr=0.2)),
    "dimensional_collapse": Case(partial(autoencoder, hidden=(1,)), autoencoder),
    "direction_collapse": Case(partial(views, negatives=False), partial(views, negatives=True)),
    "dead_units": Case(partial(autoencoder, plant=dead), autoencoder),
    "saturated_units": Case(
        partial(autoencoder, plant=partial(times, 50.0), activation="tanh"), partial(autoencoder, activation="tanh")
    ),
    "posterior_collapse": Case(
        partial(autoencoder, variational=True, objective=terms(50.0)),
        partial(autoencoder, variational=True, objective=terms(0.01)),
    ),
    "vanishing_gradients": Case(partial(autoencoder, hidden=(8,) * 8, activation="sigmoid", epochs=2), autoencoder),
    "exploding_gradients": Case(
        partial(autoencoder, plant=partial(times, 6.0), hidden=(32,) * 15, activation="tanh", lr=1e-5, epochs=1),
        autoencoder,
    ),
    "constant_output": Case(partial(autoencoder, plant=dead), autoencoder),
    "narrow_output": Case(partial(autoencoder, objective={"link": "sigmoid"}), autoencoder),
    "norm_ratio": Case(
        partial(autoencoder, data=partial(low_rank, scale=20.0), objective={"link": "sigmoid"}), autoencoder
    ),
}
