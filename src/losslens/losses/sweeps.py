"""How losses are drawn: for each family, paths through its tensors along which a member has a value and a slope.

All numbers are float64. A place on a path is a tensor without dimensions, through which the gradient passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from losslens.vocabulary.quantities import Domain

if TYPE_CHECKING:
    from losslens.losses.family import LossEntry

Path = Callable[[Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Line:
    """One of the paths of a sweep, as the family's tensors at each place; ``name`` tells it from the others."""

    name: str
    at: Path


@dataclass(frozen=True)
class Sweep:
    """What is moved, named with its unit, from where to where, along which paths."""

    x: str
    low: float
    high: float
    lines: tuple[Line, ...]


Sweeps = tuple[Sweep, ...]

_ERROR = ("output - target", -3.0, 3.0)
_OUTPUTS = {
    "softplus": ("output", 0.5, 8.0),
    "softmax": ("output (a mean count)", 0.5, 10.0),
    "sigmoid": ("output (a probability)", 0.05, 0.95),
    "logits": ("output (a logit)", -5.0, 5.0),
    "log": ("output (the logarithm of the median)", -2.5, 2.5),
}
_TARGETS = {
    Domain.REAL: (0.0,),
    Domain.NON_NEGATIVE: (0.0, 1.0, 3.0),
    Domain.POSITIVE: (0.5, 1.0, 3.0),
    Domain.UNIT: (0.0, 0.3, 1.0),
    Domain.OPEN_UNIT: (0.1, 0.5, 0.9),
    Domain.BINARY: (0.0, 1.0),
    Domain.COUNTS: (0.0, 1.0, 5.0),
}


def tensor(*numbers: float) -> Tensor:
    """A row of constants."""
    return torch.tensor(numbers, dtype=torch.float64)


def elements(entry: LossEntry) -> Sweeps:
    """Of one output, at a few targets of the domain; of real numbers the error alone matters."""
    x, low, high = _OUTPUTS.get(entry.link or "", _ERROR)
    targets = _TARGETS[entry.domain]
    alone = len(targets) == 1
    lines = (Line("" if alone else f"target {value:g}", _towards(value)) for value in targets)
    return (Sweep(x, low, high, tuple(lines)),)


def _towards(target: float) -> Path:
    return lambda x: (x.reshape(1, 1), tensor(target).reshape(1, 1))


# An orthonormal pair of rows of three features whose mean is zero: in their plane a loss of centred rows sees the
# same angle as any other.
_FIRST = tensor(1.0, -1.0, 0.0) / math.sqrt(2.0)
_SECOND = tensor(1.0, 1.0, -2.0) / math.sqrt(6.0)


def _turned(degrees: Tensor) -> Tensor:
    return torch.cos(torch.deg2rad(degrees)) * _FIRST + torch.sin(torch.deg2rad(degrees)) * _SECOND


def profiles(_: LossEntry) -> Sweeps:
    """The angle between output and target at equal norms, and the ratio of norms at fixed angles."""
    angle = Sweep("angle between output and target, in degrees", 0.0, 180.0, (Line("", _at_equal_norms),))
    sizes = tuple(Line(f"angle {degrees:g}°", _at_angle(degrees)) for degrees in (0.0, 30.0, 90.0))
    return angle, Sweep("norm of the output over that of the target", 0.1, 3.0, sizes)


def _at_equal_norms(angle: Tensor) -> tuple[Tensor, ...]:
    return 2.0 * _turned(angle).unsqueeze(0), 2.0 * _FIRST.unsqueeze(0)


def _at_angle(degrees: float) -> Path:
    direction = _turned(tensor(degrees))
    return lambda ratio: (2.0 * ratio * direction.unsqueeze(0), 2.0 * _FIRST.unsqueeze(0))


def mixtures(_: LossEntry) -> Sweeps:
    """From the target on towards another profile and beyond; both are smooth pictures of 16 by 16 pixels as rows."""
    steps = (torch.arange(16, dtype=torch.float64) + 0.5) / 16.0
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    target = (0.5 + 0.4 * torch.sin(5.0 * down) * torch.cos(4.0 * across)).reshape(1, -1)
    other = (0.5 + 0.4 * torch.cos(7.0 * down + 3.0 * across)).reshape(1, -1)
    line = Line("", lambda share: (target + share * (other - target), target))
    return (Sweep("share of another profile in the output", -0.5, 1.5, (line,)),)


def scores(entry: LossEntry) -> Sweeps:
    """The lead of the true class's score over all others, which are equal."""
    lines = tuple(Line(f"{classes} classes", _leading(classes, entry.link)) for classes in (2, 10, 100))
    return (Sweep("lead of the true class over each other, in logits", -6.0, 6.0, lines),)


def _leading(classes: int, link: str | None) -> Path:
    def at(lead: Tensor) -> tuple[Tensor, ...]:
        raw = torch.cat([lead.reshape(1), lead.new_zeros(classes - 1)]).unsqueeze(0)
        return torch.log_softmax(raw, 1) if link == "log_softmax" else raw, torch.zeros(1, dtype=torch.long)

    return at


def divergences(entry: LossEntry) -> Sweeps:
    """Of two classes, by the lead of the first, for a few true shares of it."""
    logs = entry.domain is Domain.REAL
    shares = (0.5, 0.8, 0.99) if logs else (0.5, 0.8, 1.0)
    lines = tuple(Line(f"true share {share:g}", _sharing(share, logs)) for share in shares)
    return (Sweep("lead of the first of two classes, in logits", -6.0, 6.0, lines),)


def _sharing(share: float, logs: bool) -> Path:
    target = tensor(share, 1.0 - share).unsqueeze(0)
    told = target.log() if logs else target

    def at(lead: Tensor) -> tuple[Tensor, ...]:
        return torch.log_softmax(torch.stack([lead, 0.0 * lead]), 0).unsqueeze(0), told

    return at


def _both_signs(at: Callable[[Tensor, Tensor], tuple[Tensor, ...]]) -> tuple[Line, ...]:
    alike, unlike = tensor(1.0), tensor(-1.0)
    return Line("y = +1", lambda x: at(x, alike)), Line("y = -1", lambda x: at(x, unlike))


def rankings(_: LossEntry) -> Sweeps:
    """The difference of two scores."""
    return (Sweep("x1 - x2", -3.0, 3.0, _both_signs(lambda x, y: (x.reshape(1), tensor(0.0), y))),)


def distances(_: LossEntry) -> Sweeps:
    """The distance itself."""
    return (Sweep("distance x", 0.0, 3.0, _both_signs(lambda x, y: (x.reshape(1), y))),)


def pairs(entry: LossEntry) -> Sweeps:
    """The angle within the pair for losses blind to size, else the distance."""
    if entry.scale_invariant:
        turned = _both_signs(lambda x, y: (_turned(x).unsqueeze(0), _FIRST.unsqueeze(0), y))
        return (Sweep("angle between x1 and x2, in degrees", 0.0, 180.0, turned),)
    apart = _both_signs(lambda x, y: ((x * _FIRST).unsqueeze(0), 0.0 * _FIRST.unsqueeze(0), y))
    return (Sweep("distance between x1 and x2", 0.0, 2.0, apart),)


def triplets(_: LossEntry) -> Sweeps:
    """How much farther than the negative, at distance 2 of the anchor, the positive is."""
    anchor, negative = torch.zeros(1, 3, dtype=torch.float64), 2.0 * _SECOND.unsqueeze(0)
    line = Line("", lambda x: (anchor, ((2.0 + x) * _FIRST).unsqueeze(0), negative))
    return (Sweep("distance to the positive less distance to the negative", -2.0, 2.0, (line,)),)


def two_views(entry: LossEntry) -> Sweeps:
    """The angle within every pair, all pairs orthogonal to each other: how many there are matters to contrast."""
    alone = (Line("", _turned_pairs(1)),)
    lines = alone if entry.independent else tuple(Line(f"batch of {size}", _turned_pairs(size)) for size in (2, 8, 32))
    return (Sweep("angle within each pair, in degrees", 0.0, 180.0, lines),)


def _turned_pairs(size: int) -> Path:
    basis = torch.eye(2 * size, dtype=torch.float64)
    first, second = basis[:size], basis[size:]

    def at(degrees: Tensor) -> tuple[Tensor, ...]:
        angle = torch.deg2rad(degrees)
        return torch.cos(angle) * first + torch.sin(angle) * second, first

    return at


# Columns of zero mean, of equal norm and orthogonal to each other: features of a batch of eight.
_SIGNS = tensor(1.0, -1.0)
_ONES = tensor(1.0, 1.0)
_FEATURES = [
    torch.kron(torch.kron(one, two), three)
    for one, two, three in ((_SIGNS, _ONES, _ONES), (_ONES, _SIGNS, _ONES), (_ONES, _ONES, _SIGNS), (_SIGNS,) * 3)
]


def two_batches(_: LossEntry) -> Sweeps:
    """How the views agree, how the features repeat each other, and how far the codes spread: two features of eight."""
    code = torch.stack(_FEATURES[:2], 1)
    noise = torch.stack(_FEATURES[2:], 1)

    def agreeing(correlation: Tensor) -> tuple[Tensor, ...]:
        return code, correlation * code + (1.0 - correlation.square()).sqrt() * noise

    def repeating(correlation: Tensor) -> tuple[Tensor, ...]:
        second = correlation * code[:, 0] + (1.0 - correlation.square()).sqrt() * code[:, 1]
        rows = torch.stack([code[:, 0], second], 1)
        return rows, rows

    spread = Line("", lambda size: (size * code, size * code))
    return (
        Sweep("correlation of the two views, feature by feature", -0.99, 0.99, (Line("", agreeing),)),
        Sweep("correlation of two features, both views alike", -0.99, 0.99, (Line("", repeating),)),
        Sweep("size of all values, both views alike", 0.05, 2.0, (spread,)),
    )


def one_batch(entry: LossEntry) -> Sweeps:
    """Of directions, the arc over which eight are spread; else the mean activation of units, or the norm of a row."""
    if entry.link == "sigmoid":
        rate = Line("", lambda mean: (mean.expand(4, 1),))
        return (Sweep("mean activation of a unit", 0.01, 0.9, (rate,)),)
    if not entry.scale_invariant:
        others = tensor(0.5, 1.0, 1.5)
        norms = Line("", lambda norm: (torch.cat([norm.reshape(1), others]).unsqueeze(1),))
        return (Sweep("norm of one of four codes", 0.0, 3.0, (norms,)),)
    places = torch.arange(8, dtype=torch.float64)

    def along(degrees: Tensor) -> tuple[Tensor, ...]:
        angles = torch.deg2rad(degrees) * places / 7.0
        return (torch.stack([torch.cos(angles), torch.sin(angles)], 1),)

    return (Sweep("arc that eight directions are spread over, in degrees", 0.0, 315.0, (Line("", along),)),)


def latents(_: LossEntry) -> Sweeps:
    """Mean and log-variance of one dimension."""
    means = (Line(f"variance {v:g}", _moved(0, tensor(0.0), tensor(v).log())) for v in (0.1, 1.0))
    widths = (Line(f"mean {m:g}", _moved(1, tensor(m), tensor(0.0))) for m in (0.0, 1.0))
    return Sweep("mean", -3.0, 3.0, tuple(means)), Sweep("log-variance", -5.0, 2.0, tuple(widths))


def two_latents(_: LossEntry) -> Sweeps:
    """The difference of means and the log-variance of one dimension, for prior variances of 0.25, 1 and 4."""
    zero = tensor(0.0)
    priors = {f"prior variance {v:g}": (zero, zero, zero, tensor(v).log()) for v in (0.25, 1.0, 4.0)}
    means = (Line(name, _moved(0, *cells)) for name, cells in priors.items())
    widths = (Line(name, _moved(1, *cells)) for name, cells in priors.items())
    return (
        Sweep("difference of means, at variance 1", -3.0, 3.0, tuple(means)),
        Sweep("log-variance, at equal means", -5.0, 2.0, tuple(widths)),
    )


def _moved(which: int, *cells: Tensor) -> Path:
    """Single numbers as the family's tensors, one of which is swept."""
    return lambda x: tuple((x if place == which else cell).reshape(1, 1) for place, cell in enumerate(cells))


def two_samples(_: LossEntry) -> Sweeps:
    """Mean and standard deviation of a normal code of one dimension, by its quantiles; the prior is standard normal."""
    normal = torch.special.ndtri((torch.arange(24, dtype=torch.float64) + 0.5) / 24.0).unsqueeze(1)

    def shifted(spread: float) -> Path:
        return lambda x: (x + spread * normal, normal)

    means = tuple(Line(f"deviation {spread:g}", shifted(spread)) for spread in (1.0, 0.3))
    return (
        Sweep("mean of the code", -4.0, 4.0, means),
        Sweep("standard deviation of the code", 0.02, 3.0, (Line("", lambda x: (x * normal, normal)),)),
    )


def codes(_: LossEntry) -> Sweeps:
    """One unit's activation beside four others."""
    others = tensor(0.5, 1.0, -1.5, 2.0)
    line = Line("", lambda x: (torch.cat([x.reshape(1), others]).unsqueeze(0),))
    return (Sweep("activation of one of five units", -3.0, 3.0, (line,)),)


def jacobians(_: LossEntry) -> Sweeps:
    """The size of an encoder's weights, for units of three shapes; two inputs of 0.5 and -1."""
    shapes: dict[str, Callable[[Tensor], Tensor]] = {
        "linear units": lambda x: x,
        "tanh units": torch.tanh,
        "sigmoid units": torch.sigmoid,
    }
    weights = torch.stack([tensor(1.0, 0.5), tensor(-0.5, 1.0)])

    def encoded(shape: Callable[[Tensor], Tensor]) -> Path:
        def at(size: Tensor) -> tuple[Tensor, ...]:
            inputs = tensor(0.5, -1.0).unsqueeze(0).requires_grad_()
            return shape(inputs @ (size * weights)), inputs

        return at

    lines = tuple(Line(name, encoded(shape)) for name, shape in shapes.items())
    return (Sweep("factor on the encoder's weights", 0.0, 3.0, lines),)
