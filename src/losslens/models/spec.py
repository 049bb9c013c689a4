"""What a model and an objective are, as values that survive a round trip through JSON. Needs no torch."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Architecture = Literal["perceptron", "convolutional", "residual"]
Normalisation = Literal["none", "batch", "layer"]
CutForm = Literal["all", "weights", "exact", "last"]
BASELINES = ("pca", "mean_profile", "zeros")
UNTRAINED = ("raw_features", "random_encoder")  # what codes of self-supervised methods are judged beside


class Spec(BaseModel):
    """Frozen, and strict about the fields it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSpec(Spec):
    """A network: features - hidden - code - hidden reversed - features.

    ``kind`` is a name of the catalogue of models, or a baseline; the other fields say what the network is.
    """

    kind: str = "autoencoder"
    architecture: Architecture = "perceptron"
    hidden: tuple[int, ...] = (256,)
    code: int = Field(32, ge=1)
    activation: str = "relu"
    code_activation: str = "linear"
    normalisation: Normalisation = "none"
    dropout: float = Field(0.0, ge=0, lt=1)
    tied: bool = Field(False, description="the decoder's weights are the encoder's, transposed")
    linear_path: bool = Field(False, description="a linear path that starts at PCA, beside the network")
    blocks: int = Field(1, ge=1, description="residual blocks in each stage of a residual network")
    variational: bool = Field(False, description="the encoder gives a normal distribution of codes")
    reads_code: bool = Field(False, description="the decoder learns to read the code without shaping it")
    shape: tuple[int, ...] = Field((), description="channels, height and width, for convolutions")

    @property
    def grid(self) -> tuple[int, ...]:
        """Channels, height and width of an image; channels and length of a series; empty where there is no shape.

        >>> ModelSpec(shape=(2, 1, 50)).grid, ModelSpec(shape=(3, 8, 8)).grid
        ((2, 50), (3, 8, 8))
        """
        return (self.shape[0], self.shape[2]) if len(self.shape) == 3 and self.shape[1] == 1 else self.shape

    @property
    def is_trained(self) -> bool:
        """Whether it is fitted by gradient descent rather than in closed form."""
        return self.kind not in (*BASELINES, *UNTRAINED)


class TermSpec(Spec):
    """A part of an objective beside the reconstruction: a loss over named outputs of the network, and its weight.

    Weights speak of a sample's loss summed over features. For the first ``warm_up`` epochs the weight rises from zero.
    """

    loss: str
    weight: float = Field(1.0, ge=0)
    options: dict[str, Any] = {}
    on: dict[str, str] = Field({}, description="which output each argument of the loss is, where names differ")
    warm_up: int = Field(0, ge=0)


class ObjectiveSpec(Spec):
    """A loss of the reconstruction, the output activation that maps the network into its domain, and further terms."""

    loss: str
    link: str = "linear"
    options: dict[str, Any] = {}
    content: str = Field("", description="hash of the code of a loss that is not the package's own")
    terms: tuple[TermSpec, ...] = ()
    classes: tuple[str, ...] = Field((), description="labels that a classifier on the code tells apart")


class CorruptionSpec(Spec):
    """What is done to inputs before the network sees them; ``corrupted`` and ``intact`` weigh the entries' losses."""

    name: str
    options: dict[str, float] = {}
    corrupted: float = Field(1.0, ge=0)
    intact: float = Field(1.0, ge=0)

    @property
    def emphasises(self) -> bool:
        """Whether entries weigh differently by what was done to them."""
        return (self.corrupted, self.intact) != (1.0, 1.0)


class ViewSpec(Spec):
    """A view of the catalogue, and its options where they differ from the usual ones."""

    name: str
    options: dict[str, Any] = {}


class MethodSpec(Spec):
    """A self-supervised method with everything that decides its result, beside the backbone and its training.

    ``head`` is the width of what the projector gives. The weights are divided by ``cut`` before training, in the way
    that ``cut_form`` says; gradients at embeddings are multiplied by the norm to the power ``grad_scale``.
    """

    name: str
    views: tuple[ViewSpec, ...]
    head: int = Field(128, ge=2)
    temperature: float = Field(1.0, gt=0)
    momentum: float = Field(0.0, ge=0, le=1, description="share of the target that a step keeps, where it has its own")
    queue: int = Field(0, ge=0, description="targets of earlier batches that serve as negatives")
    cut: float = Field(1.0, ge=1)
    cut_form: CutForm = "all"
    grad_scale: float = Field(0.0, ge=0)
