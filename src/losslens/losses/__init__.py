"""Floor 1: the losses, one module per family; importing this package fills the catalogue."""

from losslens.losses import likelihood, pointwise, profile
from losslens.losses.family import LIKELIHOOD, LOSSES, POINTWISE, PROFILE, Family, LossEntry, loss, publish

__all__ = [
    "LIKELIHOOD",
    "LOSSES",
    "POINTWISE",
    "PROFILE",
    "Family",
    "LossEntry",
    "likelihood",
    "loss",
    "pointwise",
    "profile",
    "publish",
]
