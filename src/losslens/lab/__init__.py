"""The cosine laboratory: how the gradient of a cosine fades, in closed form and by simulation.

>>> round(losslens.lab.steps_needed(10.0, 0.02) / losslens.lab.steps_needed(1.0, 0.02))
100
"""

from losslens.lab.cosine import (
    Forces,
    across,
    angle_after,
    cosine_change,
    cosine_gradient,
    equilibrium_norm,
    gradient_norm,
    grown_norm,
    info_nce_forces,
    norm_after,
    stepped,
    steps_needed,
)
from losslens.lab.pairs import Course, Pairs, climb, interpolated_pairs, pairs_at, wander
from losslens.lab.plane import PlaneField, gradient_field, paths

__all__ = [
    "Course",
    "Forces",
    "Pairs",
    "PlaneField",
    "across",
    "angle_after",
    "climb",
    "cosine_change",
    "cosine_gradient",
    "equilibrium_norm",
    "gradient_field",
    "gradient_norm",
    "grown_norm",
    "info_nce_forces",
    "interpolated_pairs",
    "norm_after",
    "pairs_at",
    "paths",
    "stepped",
    "steps_needed",
    "wander",
]
