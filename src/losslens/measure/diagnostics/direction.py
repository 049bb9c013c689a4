"""Diagnostics of directions: cosine gradients, norms, opposite pairs, collapse."""

from __future__ import annotations

from typing import Any

import numpy as np

from losslens.measure.diagnostics.entry import Seen, diagnostic
from losslens.measure.diagnostics.readings import Array, Reading, Readings
from losslens.measure.directions import directions, spread_of
from losslens.models.methods import METHODS

ALIGNED = 0.45  # radians: a cosine of 0.9
BRISK = 0.1  # radians per step
USUAL_CUT = 3.0  # for a method of which none was published
USUAL_DECAY = 5e-4  # with plain gradient steps


def _cut(spec: Any) -> dict[str, Any]:
    """Of a self-supervised method: its recommended cut, of the last layer; where it is cut as much, more weight decay.

    A cut of all parameters makes directions collapse on some data; one of the last layer leaves them as they are.
    """
    if spec.method is None:
        return {}
    cut = METHODS[spec.method.name].cut or USUAL_CUT
    return {"method.cut": cut, "method.cut_form": "last"} if spec.method.cut < cut else _decay(spec)


def _decay(spec: Any) -> dict[str, Any]:
    """Of a self-supervised method: the usual weight decay of its optimiser, or ten times what it has."""
    if spec.method is None:
        return {}
    return {"training.weight_decay": min(0.1, max(USUAL_DECAY, 10.0 * spec.training.weight_decay))}


def _norms(rows: Array) -> Array:
    return np.asarray(np.linalg.norm(rows.astype(np.float64), axis=1))


def _angles(look: Reading) -> Array:
    """The angle of each pair in radians, exact also near 0 and pi."""
    assert look.embedding is not None
    assert look.partner is not None
    one, other = directions(look.embedding), directions(look.partner)
    angles: Array = 2.0 * np.arctan2(np.linalg.norm(one - other, axis=1), np.linalg.norm(one + other, axis=1))
    return angles


@diagnostic(
    title="Cosine gradient fading",
    unit="radians per step",
    watch=1e-4,
    act=1e-5,
    because="By the closed form, freely moving pairs at a right angle need about 10 000 steps at 1e-4 to come close, "
    "and 100 000 at 1e-5.",
    reason="The gradient of a cosine is the sine of the angle over the norm, and a step turns a longer vector less.",
    remedy="Start with smaller embeddings (divide the last layer by 3 to 9), add weight decay, or scale the gradient "
    "by the norm.",
    change=_cut,
)
def cosine_gradient_fading(readings: Readings) -> Seen | None:
    r"""The angle that one plain gradient step turns an embedding by: median of :math:`\eta \sin\varphi / |z|^2`.

    Aligned pairs count as if they were at a cosine of 0.9: their small sine is success. Needs embeddings with
    partners and the learning rate of an optimiser that does not rescale gradients.
    """
    look = readings.latest("embedding", "partner")
    if look is None or readings.lr is None or readings.adaptive:
        return None
    assert look.embedding is not None
    angles, norms = _angles(look), _norms(look.embedding)
    steps = readings.lr * np.sin(np.maximum(angles, ALIGNED)) / np.maximum(norms, 1e-30) ** 2
    figures = f"Median norm {np.median(norms):.3g}, median angle {np.degrees(np.median(angles)):.0f} degrees."
    return Seen(float(min(np.median(steps), 1e30)), figures=figures)


@diagnostic(
    title="Norm growth",
    unit="times the first norm",
    watch=3.0,
    act=10.0,
    because="A plain cosine gradient step turns an embedding by an angle that falls with the square of its norm: to a "
    "ninth at 3, to a hundredth at 10.",
    reason="Embeddings compared by direction have grown, and every step now turns them less.",
    remedy="Add weight decay or a penalty on the norm.",
    change=_decay,
    since=1,
)
def norm_growth(readings: Readings) -> Seen | None:
    """The mean norm of embeddings compared by direction, over what it was at the first reading.

    Where the rate of plain gradient steps is known, growth counts from the norm at which a step turns an embedding by
    a tenth of a radian: below it, as after a cut, steps overshoot, and growing does no harm.
    """
    first, last = readings.first("embedding", "partner"), readings.latest("embedding", "partner")
    if first is None or last is None or first is last:
        return None
    assert first.embedding is not None
    assert last.embedding is not None
    before, now = float(_norms(first.embedding).mean()), float(_norms(last.embedding).mean())
    brisk = 0.0 if readings.lr is None or readings.adaptive else (readings.lr / BRISK) ** 0.5
    return Seen(min(now / max(before, brisk, 1e-30), 1e30), figures=f"Mean norm {before:.3g} at first, now {now:.3g}.")


@diagnostic(
    title="Opposite halves",
    unit="share of pairs",
    watch=0.25,
    act=0.5,
    because="Pairs at random directions are apart by more than a right angle half of the time; what has learned keeps "
    "most pairs closer.",
    reason="Pairs point in opposite directions, where the gradient of a cosine fades as well.",
    remedy="Look for a sign that is turned round in the loss; else raise the learning rate.",
    since=2,
)
def opposite_halves(readings: Readings) -> Seen | None:
    """The share of pairs more than a right angle apart, once training has begun."""
    look = readings.latest("embedding", "partner")
    if look is None:
        return None
    angles = _angles(look)
    near = float((angles > np.pi - ALIGNED).mean())
    return Seen(float((angles > np.pi / 2).mean()), figures=f"Nearly opposite: {100 * near:.0f} % of pairs.")


@diagnostic(
    title="Dimensional collapse",
    unit="share of dimensions",
    watch=0.2,
    act=0.08,
    because="Below a fifth most of the dimensions are unused; below 8 % a code of 32 is worth less than three.",
    reason="The codes vary along few directions.",
    remedy="Make the code shorter, or add a term that holds dimensions apart (variance, decorrelation).",
    since=3,
)
def dimensional_collapse(readings: Readings) -> Seen | None:
    r"""Effective rank of the codes (Roy and Vetterli, 2007) over the number of dimensions they could fill.

    The exponential of the entropy of the singular values' shares, after the mean is taken off. At most as many
    dimensions are asked for as there are samples, or as the targets themselves fill. Variational models have
    ``posterior_collapse`` instead.
    """
    name = "embedding" if (look := readings.latest("code")) is None else "code"
    look = look or (None if readings.latest("target") else readings.latest("embedding"))
    if look is None or look.mean is not None:
        return None
    rows = look.code if look.code is not None else look.embedding
    assert rows is not None
    possible = min(float(rows.shape[1]), len(rows) - 1.0)
    if look.target is not None:
        possible = min(possible, _rank(look.target))
    rank = _rank(rows)
    figures = f"Effective rank {rank:.1f} of {possible:.0f}."
    return Seen(rank / max(possible, 1.0), name, figures)


def _rank(rows: Array) -> float:
    centred = rows.astype(np.float64) - rows.mean(0, dtype=np.float64)
    gram = centred.T @ centred if centred.shape[1] < len(centred) else centred @ centred.T
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0.0))
    if not values.any():
        return 0.0
    shares = values[values > 1e-7 * values[-1]] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


@diagnostic(
    title="Collapse to one direction",
    unit="times the spread of random directions",
    watch=0.4,
    act=0.1,
    because="Normalised embeddings of a healthy network spread nearly as random directions do (1); at 0.1, 99 % of "
    "their squared length is one common direction.",
    reason="Every sample is embedded in nearly the same direction.",
    remedy="Check what prevents collapse: negatives, the stop-gradient, the predictor, normalisation layers; a lower "
    "learning rate, a smaller cut or one of the last layer alone.",
    since=1,
)
def direction_collapse(readings: Readings) -> Seen | None:
    r"""Standard deviation of normalised embeddings, times :math:`\sqrt d` (Chen and He, 2021); self-supervised only."""
    look = readings.latest("embedding", "partner")
    if look is None or look.target is not None:
        return None
    assert look.embedding is not None
    return Seen(spread_of(look.embedding), "embedding")
