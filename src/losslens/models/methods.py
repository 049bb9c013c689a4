"""Self-supervised methods as data: heads, where the target comes from, terms of the objective, and facts of training.

Nothing is written for a method elsewhere. Two views of a sample pass through backbone, projector and, where there is
one, predictor. Terms compare named outputs: ``p1`` and ``p2``, what the heads give of either view, with ``t1`` and
``t2``, the targets, or with each other.

The same for all: views of one kind for both branches, one after the other through the network, so that batch
normalisation sees them apart; SGD with momentum 0.9 in place of LARS or AdamW; weight decay on every weight, biases and
normalisation layers included; a tenth of the steps to warm up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from losslens.models.spec import TermSpec
from losslens.vocabulary.catalogue import Catalogue

Target = Literal["shared", "stopped", "momentum"]
Memory = Literal["", "queue", "centre"]
Normalised = Literal["none", "hidden", "all"]


@dataclass(frozen=True)
class Head:
    """A small perceptron on a backbone; widths are multiples of the head's width.

    - ``layers``: linear layers; ``hidden``: the width between them; ``out``: what the last one gives.
    - ``normalised``: where batch normalisation follows a linear layer: nowhere, between layers, after all of them;
      after the last one without a scale and shift of its own.
    - ``prototypes``: the last layer is of directions of norm one, and reads the directions of rows: these come straight
      from the linear layer before it, without normalisation or activation.
    """

    layers: int = 2
    hidden: float = 1.0
    out: float = 1.0
    normalised: Normalised = "hidden"
    activation: str = "relu"
    prototypes: bool = False


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """The facts about one method.

    - ``title``: how tables call it; ``use`` and ``failure``: when to take it and how it goes wrong.
    - ``projector``, ``predictor``: its heads. ``target``: gradients flow to both branches, or stop at the projection,
      or the target comes from a slow copy. ``symmetric``: whether each view is once the target of the other.
    - ``terms``: what is minimised. ``memory``: what it remembers of earlier batches.
    - ``temperature``; ``momentum`` of the slow copy, and whether it rises to one over the training.
    - ``learning_rate`` for each 256 samples of a batch, of SGD with momentum 0.9, rising linearly over the share
      ``warm_up`` of the steps and falling as a cosine after it, save the predictor's where it is ``constant``.
    - ``contrastive``: whether samples are told apart; ``cut``: recommended factor of cut-initialisation, or None where
      none was published.
    - ``published``: what the paper has, or its authors' code, where it is otherwise here: sizes first.
    """

    name: str
    title: str
    summary: str
    use: str
    failure: str
    reference: str
    projector: Head
    predictor: Head | None = None
    target: Target
    symmetric: bool = True
    terms: tuple[TermSpec, ...]
    memory: Memory = ""
    contrastive: bool
    temperature: float = 1.0
    momentum: float = 0.0
    momentum_rises: bool = False
    learning_rate: float
    weight_decay: float
    nesterov: bool = False
    warm_up: float = 0.1
    constant: bool = False
    cut: float | None = None
    published: str
    aliases: tuple[str, ...] = ()


METHODS: Catalogue[MethodEntry] = Catalogue("method")


def _enter(**facts: Any) -> None:
    METHODS.add(MethodEntry(**facts))


def _between(loss: str, *pairs: tuple[str, str], weight: float = 1.0, names: str = "a b") -> tuple[TermSpec, ...]:
    """One loss over several pairs of outputs."""
    one, other = names.split()
    return tuple(TermSpec(loss=loss, weight=weight, on={one: first, other: second}) for first, second in pairs)


_CROSSED = (("p1", "t2"), ("p2", "t1"))

_enter(
    name="simclr",
    title="SimCLR",
    summary="Each view is to find the other one among all views of the batch.",
    use="The contrastive method to begin with; large batches help it.",
    failure="Few samples in a batch ask little, and samples of one class are pushed apart like any others.",
    reference="Chen, Kornblith, Norouzi and Hinton, ICML 2020",
    projector=Head(normalised="none"),
    target="shared",
    terms=_between("nt_xent", ("p1", "p2")),
    contrastive=True,
    temperature=0.5,
    learning_rate=0.3,
    weight_decay=1e-6,
    cut=3.0,
    published="ResNet-50, head of two layers, 2048 and 128 wide, batches of 4096, LARS without decay of biases and "
    "normalisation layers; the head is that of the paper, where the authors' code normalises after both of its layers, "
    "has no last bias, and normalises both views as one batch",
)
_enter(
    name="simsiam",
    title="SimSiam",
    summary="A predictor turns each view's projection towards that of the other, which gets no gradient.",
    use="Without negatives, slow copy or large batches.",
    failure="It may collapse: watch the spread and the effective rank of the embeddings.",
    reference="Chen and He, CVPR 2021",
    projector=Head(layers=3, normalised="all"),
    predictor=Head(hidden=0.25),
    target="stopped",
    terms=_between("negative_cosine", *_CROSSED, weight=0.5),
    contrastive=False,
    learning_rate=0.5,
    weight_decay=5e-4,
    nesterov=True,
    constant=True,
    cut=9.0,
    published="ResNet-50, heads 2048 wide, the predictor 512 inside, batches of 512, learning rate 0.05, no warm-up, "
    "no Nesterov momentum, weight decay 1e-4",
)
_enter(
    name="byol",
    title="BYOL",
    summary="A predictor turns each view's projection towards that of the other by a slow copy of the network.",
    use="Without negatives; less prone to collapse than SimSiam at the price of a second network.",
    failure="A slow copy needs many steps; with few of them a smaller momentum is needed.",
    reference="Grill, Strub, Altche and others, NeurIPS 2020",
    projector=Head(hidden=2.0),
    predictor=Head(hidden=2.0),
    target="momentum",
    terms=_between("alignment", *_CROSSED),
    contrastive=False,
    momentum=0.99,
    momentum_rises=True,
    learning_rate=0.2,
    weight_decay=5e-4,
    nesterov=True,
    cut=9.0,
    published="ResNet-50, heads 4096 inside and 256 wide, momentum 0.996 over 1000 epochs, batches of 4096, LARS with "
    "weight decay 1.5e-6 that spares biases and normalisation layers, views that differ in blur and solarisation; the "
    "authors' code leaves out the last bias of both heads",
)
_enter(
    name="moco_v2",
    title="MoCo v2",
    summary="Each view is to find the other one, seen by a slow copy, among a queue of those of earlier batches.",
    use="Contrast with small batches.",
    failure="On few samples the queue holds other views of the very sample.",
    reference="Chen, Fan, Girshick and He, arXiv 2003.04297, 2020",
    projector=Head(normalised="none"),
    target="momentum",
    symmetric=False,
    terms=(TermSpec(loss="cross_entropy", on={"output": "similarities", "target": "place"}),),
    memory="queue",
    contrastive=True,
    temperature=0.2,
    momentum=0.99,
    learning_rate=0.2,
    weight_decay=1e-4,
    published="ResNet-50, head of two layers, 2048 and 128 wide, momentum 0.999, a queue of 65536, learning rate 0.03 "
    "without warm-up, batches shuffled over several devices before the slow copy normalises them, which one device "
    "cannot do",
    aliases=("moco",),
)
_enter(
    name="barlow_twins",
    title="Barlow Twins",
    summary="Each embedded feature agrees between the views and is uncorrelated with every other.",
    use="Without negatives, slow copy or predictor.",
    failure="Correlations over small batches are noisy, and it wants wide heads.",
    reference="Zbontar, Jing, Misra, LeCun and Deny, ICML 2021",
    projector=Head(layers=3),
    target="shared",
    terms=_between("barlow_twins", ("p1", "p2"), weight=0.025),
    contrastive=False,
    learning_rate=0.2,
    weight_decay=1e-6,
    published="ResNet-50, heads 8192 wide and without a last bias, batches of 2048, LARS with a rate of 0.0048 for "
    "biases and normalisation layers and no decay of them; the loss undivided, where here it is divided by 40",
)
_enter(
    name="vicreg",
    title="VICReg",
    summary="Views agree, every embedded feature keeps its spread, and features do not repeat each other.",
    use="Without negatives, slow copy or predictor; also where the two views come from different instruments.",
    failure="Three weights must be balanced, and it wants wide heads.",
    reference="Bardes, Ponce and LeCun, ICLR 2022",
    projector=Head(layers=3),
    target="shared",
    terms=_between("vicreg", ("p1", "p2"), weight=0.04),
    contrastive=False,
    learning_rate=0.2,
    weight_decay=1e-6,
    published="ResNet-50, heads 8192 wide and without a last bias, batches of 2048, LARS without decay of biases and "
    "normalisation layers, the loss undivided, where here it is divided by 25",
)
_enter(
    name="dino",
    title="DINO-style",
    summary="Each view takes on the assignment to prototypes that a slow copy, centred and sharp, gives the other.",
    use="Where codes should form clusters; of the paper's method two global views are here, and no small crops.",
    failure="Too little sharpening or no centring lets all samples have one assignment.",
    reference="Caron, Touvron, Misra, Jegou, Mairal, Bojanowski and Joulin, ICCV 2021",
    projector=Head(layers=4, out=4.0, activation="gelu", prototypes=True),
    target="momentum",
    terms=_between("cross_entropy", ("scores1", "assigned2"), ("scores2", "assigned1"), weight=0.5,
                   names="output target"),
    memory="centre",
    contrastive=False,
    temperature=0.1,
    momentum=0.99,
    momentum_rises=True,
    learning_rate=0.5,
    weight_decay=1e-4,
    published="heads of three layers 2048 wide, then 256, 65536 prototypes, no normalisation in them, momentum 0.996, "
    "AdamW with a decay that rises from 0.04 to 0.4, small crops beside, gradients clipped, prototypes at rest for the "
    "first epoch",
)  # fmt: skip
