"""The pitfalls of the cosine measured again: published tables, forces, decay, and norms of a toy network.

Published: saved outputs of the notebook Simulations in the code of Draganov et al. (arXiv 2406.16468 and 2502.09252),
500 pairs in 20 dimensions, both sides moving, a step of 10 on the mean of -cos, until the mean cosine is 0.999.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from losslens.lab.confidence import NormBin, accuracy_by_half, accuracy_by_norm, scaled_norms
from losslens.lab.cosine import equilibrium_norm, info_nce_forces, steps_needed
from losslens.lab.pairs import Pairs, climb, interpolated_pairs, pairs_at, wander
from losslens.lab.toy import Toy, ToyRun, train_toy

STEP = 10.0 / 500.0  # of one pair
PUBLISHED_NORMS = {
    0.25: 6, 0.5: 24, 0.75: 54, 1.0: 96, 2.0: 385, 3.0: 869, 4.0: 1547, 5.0: 2416, 6.0: 3463, 7.0: 4737, 8.0: 6156,
    9.0: 7822, 10.0: 9662,
}  # fmt: skip
# Start angle (of the mean cosine) and steps, by the weight of the interpolation in twenty-fifths.
PUBLISHED_ANGLES = {
    -24: (0.04, 0), -20: (0.24, 43), -16: (0.51, 63), -12: (0.84, 76), -8: (1.14, 85), -4: (1.39, 91), 0: (1.57, 96),
    4: (1.77, 100), 8: (1.99, 106), 12: (2.31, 114), 16: (2.64, 126), 20: (2.90, 144), 24: (3.10, 187),
}  # fmt: skip
NORMS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
DECAYS = (0.0, 1e-3, 1e-2, 1e-1)
TOY_DECAYS = (0.0, 0.01, 0.1)
Advance = Callable[[], None]


@dataclass(frozen=True)
class Scale:
    """How much is simulated; ``quick`` is for a look and for tests.

    >>> losslens.lab.QUICK.runs < losslens.lab.FULL.runs
    True
    """

    largest_norm: float = 10.0
    decay_points: int = 200
    decay_steps: int = 4000
    toy: Toy = Toy()  # noqa: RUF009  # frozen
    runs: int = 5

    @property
    def parts(self) -> int:
        """How often ``advance`` is called."""
        norms = sum(norm <= self.largest_norm for norm in PUBLISHED_NORMS)
        return norms + len(PUBLISHED_ANGLES) + len(NORMS) + len(DECAYS) + len(TOY_DECAYS) * self.runs


FULL = Scale()
QUICK = Scale(largest_norm=2.0, decay_points=20, decay_steps=1500, toy=Toy(points=200, epochs=3), runs=2)


@dataclass(frozen=True)
class Steps:
    """Steps at one start: published, simulated here, in closed form; for angles also with the published first step.

    >>> losslens.lab.steps_by_norm(seed=0, largest=0.5)[1].published
    24
    """

    start: float
    published_start: float
    published: int
    measured: int
    formula: float
    first_step: int | None = None


@dataclass(frozen=True)
class Force:
    """Mean sizes of InfoNCE's two forces at a norm, and the largest part of either along the embedding.

    >>> losslens.lab.forces_by_norm(seed=0)[0].norm
    0.5
    """

    norm: float
    attraction: float
    repulsion: float
    along: float


@dataclass(frozen=True)
class Decay:
    """Mean norm under weight decay: its course every 20 steps, its end, and the formula (None without decay).

    >>> losslens.lab.norm_by_decay(0.1, losslens.lab.QUICK, seed=0).formula > 1.0
    True
    """

    decay: float
    course: tuple[float, ...]
    end: float
    formula: float | None


@dataclass(frozen=True)
class ToyNorms:
    """Norms of the toy network under a weight decay, over runs.

    ``by_class`` are means over runs by epoch, then class; ``rarest_less_commonest`` the difference of their last
    norms in each run; ``halves`` the accuracy of the shorter and the longer half of each class.

    >>> found = losslens.lab.toy_norms(0.0, losslens.lab.QUICK, seed=0)
    >>> len(found.by_class[0]), len(found.rarest_less_commonest)
    (4, 2)
    """

    decay: float
    by_class: tuple[tuple[float, ...], ...]
    rarest_less_commonest: tuple[float, ...]
    accuracy: float
    bins: tuple[NormBin, ...]
    halves: tuple[float, float]


@dataclass(frozen=True)
class Pitfalls:
    """Everything measured.

    >>> losslens.lab.Pitfalls(seed=1, norms=(), angles=(), forces=(), decays=(), toys=()).seed
    1
    """

    seed: int
    norms: tuple[Steps, ...]
    angles: tuple[Steps, ...]
    forces: tuple[Force, ...]
    decays: tuple[Decay, ...]
    toys: tuple[ToyNorms, ...]


def pitfalls(scale: Scale = FULL, *, seed: int = 0, advance: Advance = lambda: None) -> Pitfalls:
    """Measure everything; ``advance`` is called after each of ``scale.parts`` parts. The same seed, the same numbers.

    >>> found = losslens.lab.pitfalls(losslens.lab.QUICK)
    >>> [row.measured for row in found.norms][:2]
    [6, 24]
    """
    return Pitfalls(
        seed,
        steps_by_norm(seed=seed, largest=scale.largest_norm, advance=advance),
        steps_by_angle(seed=seed, advance=advance),
        forces_by_norm(seed=seed, advance=advance),
        tuple(norm_by_decay(decay, scale, seed=seed, advance=advance) for decay in DECAYS),
        tuple(toy_norms(decay, scale, seed=seed, advance=advance) for decay in TOY_DECAYS),
    )


def steps_by_norm(*, seed: int, largest: float = 10.0, advance: Advance = lambda: None) -> tuple[Steps, ...]:
    """The published table of steps by norm, from independent directions.

    >>> [row.measured for row in losslens.lab.steps_by_norm(seed=0, largest=0.75)]
    [6, 24, 54]
    """
    rows = []
    for norm, published in PUBLISHED_NORMS.items():
        if norm <= largest:
            steps = _steps(pairs_at(norm=norm, seed=seed))
            rows.append(Steps(norm, norm, published, steps, steps_needed(norm, STEP)))
            advance()
    return tuple(rows)


def steps_by_angle(*, seed: int, advance: Advance = lambda: None) -> tuple[Steps, ...]:
    """The published table of steps by start angle at norm 1, from interpolated pairs.

    The notebook's first step goes along the other point itself and not along the cosine's gradient: it changes the
    norms by up to 2 % before the rest begins. ``first_step`` counts with that step.

    >>> [row.published for row in losslens.lab.steps_by_angle(seed=0)][-1]
    187
    """
    rows = []
    for weight, (angle, published) in PUBLISHED_ANGLES.items():
        pairs = interpolated_pairs(weight / 25.0, seed=seed)
        start = math.acos(float(torch.cosine_similarity(*pairs).mean()))
        moved = Pairs(pairs.one + STEP * pairs.other, pairs.other + STEP * pairs.one)
        steps = _steps(pairs)
        first = 1 + _steps(moved) if steps else 0
        rows.append(Steps(start, angle, published, steps, steps_needed(1.0, STEP, angle=start), first))
        advance()
    return tuple(rows)


def _steps(pairs: Pairs) -> int:
    steps = climb(pairs, step=STEP).steps
    assert steps is not None  # the step is small and nothing decays
    return steps


def forces_by_norm(*, seed: int, advance: Advance = lambda: None) -> tuple[Force, ...]:
    """InfoNCE's attraction and repulsion on 256 noisy pairs of views in 20 dimensions at temperature 0.5, by norm.

    >>> forces = losslens.lab.forces_by_norm(seed=0)
    >>> round(forces[0].attraction / forces[1].attraction, 6), forces[0].along < 1e-6
    (2.0, True)
    """
    one, noise = pairs_at(count=256, seed=seed)
    rows = []
    for norm in NORMS:
        a = norm * one
        forces = info_nce_forces(a, one + 0.5 * noise, temperature=0.5)
        along = max(float((force * one).sum(1).abs().max()) for force in forces)
        attraction, repulsion = (float(force.norm(dim=1).mean()) for force in forces)
        rows.append(Force(norm, attraction, repulsion, along))
        advance()
    return tuple(rows)


def norm_by_decay(decay: float, scale: Scale, *, seed: int, advance: Advance = lambda: None) -> Decay:
    """Norms of free points pulled towards ever new directions, step 0.5, from norm 3, beside the equilibrium.

    >>> found = losslens.lab.norm_by_decay(0.1, losslens.lab.QUICK, seed=0)
    >>> abs(found.end / found.formula - 1.0) < 0.1
    True
    """
    step, dimension = 0.5, 20
    options = {"count": scale.decay_points, "dimension": dimension, "seed": seed}
    course = wander(scale.decay_steps, norm=3.0, step=step, decay=decay, **options)
    level = equilibrium_norm(step, decay, sine_squared=1.0 - 1.0 / dimension) if decay else None
    advance()
    return Decay(decay, course[::20], course[-1], level)


def toy_norms(decay: float, scale: Scale, *, seed: int, advance: Advance = lambda: None) -> ToyNorms:
    """Train the toy network in several runs and read its norms.

    >>> losslens.lab.toy_norms(0.01, losslens.lab.QUICK, seed=0).decay
    0.01
    """
    runs: list[ToyRun] = []
    for run in range(scale.runs):
        runs.append(train_toy(scale.toy, seed=1000 * seed + run, decay=decay))
        advance()
    courses = torch.stack([run.class_norms for run in runs])
    last = courses[:, -1]
    right = torch.cat([run.right for run in runs])
    norms = torch.cat([scaled_norms(run.norms, run.right) for run in runs])
    halves = torch.tensor([accuracy_by_half(run.norms, run.right, run.labels) for run in runs]).mean(0)
    return ToyNorms(
        decay,
        tuple(map(tuple, courses.mean(0).tolist())),
        tuple((last[:, 0] - last[:, -1]).tolist()),
        float(right.double().mean()),
        accuracy_by_norm(norms, right),
        (float(halves[0]), float(halves[1])),
    )
