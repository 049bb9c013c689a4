"""Find out what an autoencoder should minimise, on your own data.

The losses, :func:`compare` and everything else public are found here and loaded when first used,
so that ``import losslens`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Autoencoder": "losslens.models.autoencoders",
    "BadInput": "losslens.vocabulary.errors",
    "Comparison": "losslens.faces.compare",
    "Criterion": "losslens.losses.criterion",
    "ACTIVATIONS": "losslens.activations",
    "DIAGNOSTICS": "losslens.measure.diagnostics",
    "advise": "losslens.faces.advise",
    "automatic_cut": "losslens.models.remedies",
    "check": "losslens.faces.check",
    "GradScale": "losslens.models.remedies",
    "LosslensWarning": "losslens.vocabulary.errors",
    "LOSSES": "losslens.losses",
    "compare": "losslens.faces.compare",
    "cut_initialise": "losslens.models.remedies",
    "diagnose": "losslens.faces.diagnose",
    "implicit": "losslens.faces.implicit.fit",
    "inspect": "losslens.faces.inspect",
    "load": "losslens.faces.models",
    "pretrain": "losslens.faces.pretrain",
    "Watch": "losslens.run.watch",
}
_ROOMS = ("lab",)  # packages that are public as a whole
__all__ = [*_HOMES, *_ROOMS, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return import_module(f"losslens.{name}")
    if name.startswith("_"):
        raise AttributeError(f"module 'losslens' has no attribute {name!r}")
    losses = import_module("losslens.losses")
    if name in losses.LOSSES:
        return losses.publish(losses.LOSSES[name])
    raise AttributeError(f"module 'losslens' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *import_module("losslens.losses").LOSSES])
