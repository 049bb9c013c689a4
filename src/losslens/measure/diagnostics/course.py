"""Diagnostics of the course of a training, read off its curves alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from losslens.measure.diagnostics.entry import Seen, diagnostic, rates
from losslens.measure.diagnostics.readings import Array, Readings

LARGEST = 1e6
RESOLVED = 0.01  # of the first loss: changes below it are noise of the batches
FEWEST = 8  # epochs
JUMPY = 0.3  # rises over falls: from here on a rate is too high


def _decay(spec: Any) -> dict[str, Any]:
    return {"training.weight_decay": min(10.0, max(1.0, 10.0 * spec.training.weight_decay))}


@diagnostic(
    title="Learning rate too high",
    unit="rises over falls of the training loss",
    watch=JUMPY,
    act=0.5,
    because="At 0.5 the training loss has lost half of what it had won; noise of batches alone adds a few hundredths.",
    reason="The training loss jumps up again and again, or is no lower than before the first step.",
    remedy="Lower the learning rate.",
    change=rates(0.2),
    since=2,
)
def learning_rate_too_high(readings: Readings) -> Seen | None:
    """The sum of all rises of the training loss from epoch to epoch, over the sum of its falls.

    Starts from the loss before the first step, and after a warm-up of the objective. A loss that stopped being
    finite counts as a million.
    """
    if readings.diverged:
        return Seen(LARGEST, figures="The loss stopped being finite.")
    curve = readings.curve("train")
    if len(curve) < 3:
        return None
    if not np.isfinite(curve).all():
        return Seen(LARGEST, figures="The loss stopped being finite.")
    moves = _moves(readings, curve)
    rises, falls = moves[moves > 0].sum(), -moves[moves < 0].sum()
    resolved = falls + RESOLVED * abs(curve[0])
    return Seen(float(min(rises / resolved, LARGEST)) if resolved > 0 else 0.0)


def _moves(readings: Readings, curve: Array) -> Array:
    """From epoch to epoch; a first rise is a fall if the validation loss fell.

    Before the first step only the validation part is measured, and the training part may be the harder one: of other
    samples, corrupted, or with dropout.
    """
    moves = np.diff(curve)
    if readings.start is not None and len(readings.valid) > readings.warm_up:
        first = readings.valid[readings.warm_up] - readings.start
        moves[0] = first if first <= 0 < moves[0] else moves[0]
    return moves


@diagnostic(
    title="Learning rate too low",
    unit="share of the fall that training twice as long would add",
    watch=0.15,
    act=0.4,
    because="Trainings that have run their course stay below a tenth or so; one that falls along a straight line has "
    "all of its fall before it once more (1).",
    reason="The loss was still falling when the training ended.",
    remedy="Raise the learning rate, or allow more epochs.",
    change=rates(5.0),
    since=FEWEST,
    at_end=True,
)
def learning_rate_too_low(readings: Readings) -> Seen | None:
    """What twice as long a training would still win, over what was won: the next fall if falls go on changing alike.

    The last half of the epochs lowered the loss by so much, the quarter before it by so much: their ratio, at most 2 as
    along a straight line, times the last fall is the next one. From eight epochs on; a rate that is
    too high is not also too low.
    """
    curve = readings.curve("valid" if readings.valid else "train")
    if len(curve) <= FEWEST or not np.isfinite(curve).all() or curve[0] <= curve[-1]:
        return None
    if (wild := learning_rate_too_high(readings)) and wild.value >= JUMPY:
        return Seen(0.0)
    quarter, half = (len(curve) - 1) // 4, (len(curve) - 1) // 2
    before, last = curve[quarter] - curve[half], max(0.0, curve[half] - curve[-1])
    ratio = min(2.0, last / before) if before > 0 else 2.0
    return Seen(float(ratio * last / (curve[0] - curve[-1])))


@diagnostic(
    title="Over-fitting",
    unit="share of the fall",
    watch=0.1,
    act=0.3,
    because="A tenth is beyond the noise of a validation loss; at 0.3 a third of what was learned was lost again.",
    reason="The loss on the validation part rises again while the one of training falls.",
    remedy="Stop earlier, add weight decay, dropout or noise, or take a smaller network.",
    change=_decay,
    since=3,
)
def over_fitting(readings: Readings) -> Seen | None:
    """How much of its fall the validation loss has risen again since its best, while the training loss fell."""
    valid, train = readings.curve("valid"), readings.train
    if len(valid) < 4 or len(train) < 3 or not np.isfinite(valid).all():
        return None
    best, after = int(valid.argmin()), len(valid) - 1 - int(valid.argmin())
    fall = valid[0] - valid[best]
    if fall <= 0 or after == 0 or train[-1] >= train[max(0, len(train) - 1 - after)]:
        return Seen(0.0)
    recent = float(np.median(valid[-min(3, after) :]))
    figures = f"Lowest {after} epochs before the last."
    return Seen(min((recent - float(valid[best])) / float(fall), LARGEST), figures=figures)


@diagnostic(
    title="Loss stuck at its margin",
    unit="distance from the margin, as a share of it",
    watch=0.1,
    act=0.03,
    because="A network that gives one point for everything has exactly the margin as its loss; batches differ by a few "
    "hundredths.",
    reason="The loss is what one point for all samples gives: the embeddings have collapsed, or never parted.",
    remedy="Lower the learning rate, use all or semi-hard negatives in place of the hardest, or normalise embeddings.",
    since=3,
)
def stuck_at_margin(readings: Readings) -> Seen | None:
    """How far the last three training losses lie from the margin, at most; needs a loss that has a margin."""
    if not readings.margin or len(readings.train) < 3:
        return None
    distance = float(np.abs(np.array(readings.train[-3:]) - readings.margin).max() / readings.margin)
    return Seen(min(distance, LARGEST)) if np.isfinite(distance) else None
