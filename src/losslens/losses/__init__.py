"""Floor 1: the losses, one module per family; importing this package fills the catalogue."""

# The order of these imports is the order of the catalogue.
# isort: off
from losslens.losses import pointwise
from losslens.losses import robust
from losslens.losses import asymmetric
from losslens.losses import relative
from losslens.losses import profile
from losslens.losses import magnitude
from losslens.losses import image
from losslens.losses import likelihood
from losslens.losses import adaptive
from losslens.losses import unit
from losslens.losses import counts
from losslens.losses import directions
from losslens.losses import classification
from losslens.losses import pairs
from losslens.losses import triplets
from losslens.losses import contrastive
from losslens.losses import redundancy
from losslens.losses import latent
from losslens.losses import codes

# isort: on
from losslens.losses.family import LIKELIHOOD, LOSSES, POINTWISE, PROFILE, Family, LossEntry, loss, publish

__all__ = [
    "LIKELIHOOD",
    "LOSSES",
    "POINTWISE",
    "PROFILE",
    "Family",
    "LossEntry",
    "adaptive",
    "asymmetric",
    "classification",
    "codes",
    "contrastive",
    "counts",
    "directions",
    "image",
    "latent",
    "likelihood",
    "loss",
    "magnitude",
    "pairs",
    "pointwise",
    "profile",
    "publish",
    "redundancy",
    "relative",
    "robust",
    "triplets",
    "unit",
]
