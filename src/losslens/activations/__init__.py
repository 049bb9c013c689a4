"""Activations: PyTorch's own implementations wherever it has one, with the facts that decide where each is of use."""

# The order of these imports is the order of the catalogue.
# isort: off
from losslens.activations import linear
from losslens.activations import rectifiers
from losslens.activations import gated
from losslens.activations import sigmoidal
from losslens.activations import smooth
from losslens.activations import periodic
from losslens.activations import across

# isort: on
from losslens.activations.entry import ACTIVATIONS, Activation, ActivationEntry, enter
from losslens.activations.linear import identity
from losslens.activations.sigmoidal import inverse_sigmoid, inverse_tanh
from losslens.activations.smooth import inverse_softplus

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ActivationEntry",
    "across",
    "enter",
    "gated",
    "identity",
    "inverse_sigmoid",
    "inverse_softplus",
    "inverse_tanh",
    "linear",
    "periodic",
    "rectifiers",
    "sigmoidal",
    "smooth",
]
