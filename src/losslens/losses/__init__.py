"""Floor 1: the losses, one module per family; importing this package fills the catalogue."""

# The order of these imports is the order of the catalogue.
# isort: off
from losslens.losses import pointwise
from losslens.losses import profile
from losslens.losses import likelihood

# isort: on
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
