"""Diagnostics of the output beside its target: constant, too narrow, of another length."""

from __future__ import annotations

from typing import Any

import numpy as np

from losslens.measure.diagnostics.entry import Seen, diagnostic
from losslens.measure.diagnostics.readings import Array, Readings

VARIES = 0.15  # of the data's spread
ALIKE = 0.1  # a median cosine


def _linear(spec: Any) -> dict[str, Any]:
    link = spec.objective.link
    return {} if link in ("linear", "logits", "softmax", "log") else {"objective.link": "linear"}


def _pair(readings: Readings) -> tuple[Array, Array] | None:
    look = readings.latest("output", "target")
    if look is None or not np.isfinite(look.output).all():  # type: ignore[arg-type]
        return None
    assert look.output is not None
    assert look.target is not None
    return look.output, look.target


def _spread(rows: Array) -> float:
    return float(np.sqrt(rows.var(0, dtype=np.float64).sum()))


@diagnostic(
    title="Constant output",
    unit="times the data's spread",
    watch=VARIES,
    act=0.03,
    because="The square is about the share of variance that is explained: 2 % at 0.15, a thousandth at 0.03.",
    reason="The output is nearly the same for every sample.",
    remedy="Check learning rate and activations; where codes vary, the decoder does not use them.",
    since=3,
)
def constant_output(readings: Readings) -> Seen | None:
    """Standard deviation of the output over samples, over that of the targets, features together."""
    pair = _pair(readings)
    if pair is None or (known := _spread(pair[1])) == 0:
        return None
    return Seen(min(_spread(pair[0]) / known, 1e30))


@diagnostic(
    title="Output range narrower than the data's",
    unit="share of target values out of reach",
    watch=0.05,
    act=0.2,
    because="Reconstructions shrink towards the mean, so that some hundredths of the values are always beyond them; a "
    "fifth is what an output activation cuts off.",
    reason="Targets lie beyond every value that the output takes.",
    remedy="Use an output activation whose range holds the data, or scale the data into it.",
    change=_linear,
    since=3,
)
def narrow_output(readings: Readings) -> Seen | None:
    """The share of target values outside the range of all outputs, with a twentieth of the data's range to spare.

    Where the output hardly varies, ``constant_output`` speaks instead.
    """
    pair = _pair(readings)
    if pair is None or _spread(pair[0]) < VARIES * _spread(pair[1]):
        return None
    output, target = pair
    low, high, room = output.min(), output.max(), 0.05 * (target.max() - target.min())
    beyond = (target < low - room) | (target > high + room)
    figures = f"Outputs {low:.3g} to {high:.3g}, targets {target.min():.3g} to {target.max():.3g}."
    return Seen(float(beyond.mean()), figures=figures)


@diagnostic(
    title="Norm ratio",
    unit="shorter over longer of its length and the best one",
    watch=0.6,
    act=0.3,
    because="An output shortened to a share s of its best length leaves (1 - s)^2 of what it could explain: a sixth at "
    "0.6, a half at 0.3.",
    reason="Reconstructions have another length than would bring them closest to the data.",
    remedy="Add a term for the magnitude, or use a loss that sees the scale.",
    since=3,
)
def norm_ratio(readings: Readings) -> Seen | None:
    r"""The output's norm over the best one, or the inverse if that is smaller.

    .. math:: \operatorname{median}\ |y|^2 / \langle x, y \rangle

    over samples with an output :math:`y` and a target :math:`x`: the best length is that of the target's projection.
    It is shorter than the target where profiles are noisy, as a mean is, so that noise alone is no fault. Where
    directions are hardly alike (a median cosine below 0.1) no length is good, and nothing is said.
    """
    pair = _pair(readings)
    if pair is None:
        return None
    output, target = (rows[pair[1].any(1)].astype(np.float64) for rows in pair)
    if not len(target) or not output.any():
        return Seen(0.0, figures="All outputs are zero.") if len(target) else None
    shared, squared = (output * target).sum(1), np.maximum((output**2).sum(1), 1e-300)
    if np.median(shared / np.sqrt(squared) / np.linalg.norm(target, axis=1)) < ALIKE:
        return None
    factor = float(np.median(shared / squared))
    return Seen(min(factor, 1.0 / factor), figures=f"Best multiplied by {factor:.3g}.")
