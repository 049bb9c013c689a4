"""The cosine laboratory: how the gradient of a cosine fades, in closed form and by simulation.

>>> round(losslens.lab.steps_needed(10.0, 0.02) / losslens.lab.steps_needed(1.0, 0.02))
100
"""

from losslens.lab.confidence import NormBin, accuracy_by_half, accuracy_by_norm, scaled_norms
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
from losslens.lab.pitfalls import (
    FULL,
    QUICK,
    Decay,
    Force,
    Pitfalls,
    Scale,
    Steps,
    ToyNorms,
    forces_by_norm,
    norm_by_decay,
    pitfalls,
    steps_by_angle,
    steps_by_norm,
    toy_norms,
)
from losslens.lab.plane import PlaneField, gradient_field, paths
from losslens.lab.reading import MOST_READ, Figure, Reading, Setting, read
from losslens.lab.toy import Toy, ToyData, ToyRun, neighbours_vote, toy_data, train_toy

__all__ = [
    "FULL",
    "MOST_READ",
    "QUICK",
    "Course",
    "Decay",
    "Figure",
    "Force",
    "Forces",
    "NormBin",
    "Pairs",
    "Pitfalls",
    "PlaneField",
    "Reading",
    "Scale",
    "Setting",
    "Steps",
    "Toy",
    "ToyData",
    "ToyNorms",
    "ToyRun",
    "accuracy_by_half",
    "accuracy_by_norm",
    "across",
    "angle_after",
    "climb",
    "cosine_change",
    "cosine_gradient",
    "equilibrium_norm",
    "forces_by_norm",
    "gradient_field",
    "gradient_norm",
    "grown_norm",
    "info_nce_forces",
    "interpolated_pairs",
    "neighbours_vote",
    "norm_after",
    "norm_by_decay",
    "pairs_at",
    "paths",
    "pitfalls",
    "read",
    "scaled_norms",
    "stepped",
    "steps_by_angle",
    "steps_by_norm",
    "steps_needed",
    "toy_data",
    "toy_norms",
    "train_toy",
    "wander",
]
