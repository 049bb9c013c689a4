"""What a model and an objective are, as values that survive a round trip through JSON. Needs no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ModelKind = Literal["autoencoder", "pca_path", "pca", "mean_profile", "zeros"]
TRAINED: tuple[ModelKind, ...] = ("autoencoder", "pca_path")
BASELINES: tuple[ModelKind, ...] = ("pca", "mean_profile", "zeros")


class Spec(BaseModel):
    """Frozen, and strict about the fields it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSpec(Spec):
    """A network: G - hidden - code - hidden reversed - G.

    ``pca_path`` adds a linear path initialised from PCA beside the network, sharing its code; the network
    starts at zero, so that training starts at PCA exactly.
    """

    kind: ModelKind = "autoencoder"
    hidden: tuple[int, ...] = (256,)
    code: int = Field(32, ge=1)
    activation: str = "relu"

    @property
    def is_trained(self) -> bool:
        """Whether it is fitted by gradient descent rather than in closed form."""
        return self.kind in TRAINED


class ObjectiveSpec(Spec):
    """A loss, the output activation that maps the network into its domain, and the loss's options."""

    loss: str
    link: str = "linear"
    options: dict[str, float] = {}
    content: str = Field("", description="hash of the code of a loss that is not the package's own")
