"""The kinds of models: each a name for what differs from the plain autoencoder, in network, objective and training.

A kind is data. Nothing is written for it elsewhere: fields of the network's spec, terms of the objective, and fields
of the training's spec say all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from losslens.models.spec import CorruptionSpec, TermSpec
from losslens.vocabulary.catalogue import Catalogue

Needs = Literal["", "shape", "labels"]
AUTOMATIC = "auto"  # a corruption that the kind of data chooses


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """The facts about one kind of model.

    - ``called``: how a row of a table names it after the loss.
    - ``network``, ``terms``, ``training``: what it sets in the specs of network, objective and training.
    - ``needs``: what the data must have: the shape of an image or a series, or labels.
    - ``use`` and ``failure``: when to take it and how it goes wrong.
    """

    name: str
    summary: str
    called: str
    use: str
    failure: str
    reference: str
    network: Mapping[str, Any] = field(default_factory=dict)
    terms: tuple[TermSpec, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    needs: Needs = ""
    aliases: tuple[str, ...] = ()


MODELS: Catalogue[ModelEntry] = Catalogue("model")


def _enter(**facts: Any) -> None:
    MODELS.add(ModelEntry(**facts))


_VINCENT = "Vincent, Larochelle, Lajoie, Bengio and Manzagol, JMLR 11, 2010"
_NOISE = {"corruption": CorruptionSpec(name=AUTOMATIC)}
_STACKED = {"pretraining": 30}
_STACKED_NOISE = _STACKED | {"pretraining_corruption": CorruptionSpec(name="masking")}
_TELLS_LABELS = (TermSpec(loss="cross_entropy", on={"output": "logits", "target": "labels"}),)

_enter(
    name="autoencoder",
    summary="An encoder and a decoder of linear layers and activations around a code.",
    called="",
    use="The plain network that all others are compared with.",
    failure="On few or noisy samples PCA with the same code size is often ahead of it.",
    reference="Rumelhart, Hinton and Williams, Nature 323, 1986",
)
_enter(
    name="pca_path",
    summary="The same beside a linear path that starts at PCA and shares the code.",
    called="with PCA path",
    network={"linear_path": True},
    use="Where PCA is ahead of a plain autoencoder: training starts at PCA and can only add to it.",
    failure="What it adds on few samples is little.",
    reference="none needed: a residual network around PCA",
)
_enter(
    name="pca_path_averaged",
    summary="The PCA path, its network regularised by dropout and its weights averaged over steps.",
    called="with averaged PCA path",
    network={"linear_path": True, "dropout": 0.3},
    training={"average": 0.99},
    use="Where the PCA path overfits, which few and noisy samples make it do.",
    failure="Averaging needs a few hundred steps before it pays.",
    reference="Polyak and Juditsky, SIAM Journal on Control and Optimization 30, 1992",
)
_enter(
    name="pca_path_denoising",
    summary="The PCA path, trained to restore profiles from corrupted ones: counts are thinned.",
    called="with denoising PCA path",
    network={"linear_path": True},
    training=_NOISE,
    use="Where much of what a profile shows is sampling noise, which the code should not carry.",
    failure="Judged on clean profiles by squared error it may gain nothing over PCA: what it adds is for noisy ones.",
    reference=_VINCENT,
)
_enter(
    name="denoising",
    summary="Sees a corrupted profile and must give the clean one back.",
    called="denoising",
    training=_NOISE,
    use="For codes that hold the structure between features rather than single values.",
    failure="Too much corruption costs reconstruction of the clean profile.",
    reference=_VINCENT,
)
_enter(
    name="stacked",
    summary="Layers are trained one after the other, each on what the one below gives, then all together.",
    called="stacked",
    training=_STACKED,
    use="For deep networks whose lower layers learn slowly when all are trained at once.",
    failure="With few layers, or rectifiers, which learn well from random weights, it brings little.",
    reference="Bengio, Lamblin, Popovici and Larochelle, NeurIPS 2006",
)
_enter(
    name="stacked_denoising",
    summary="Stacked, each layer trained to restore a corrupted form of what the one below gives.",
    called="stacked denoising",
    training=_STACKED_NOISE,
    use="For codes to classify with; the classical form of unsupervised pretraining.",
    failure="Each layer adds a training of its own to the time.",
    reference=_VINCENT,
)
_enter(
    name="stacked_classifier",
    summary="Stacked, then all layers trained to tell the labels apart.",
    called="stacked classifier",
    network={"reads_code": True},
    terms=_TELLS_LABELS,
    training=_STACKED,
    needs="labels",
    use="Where labels are what the code is for; the decoder only reads what the labels shaped.",
    failure="What tells no labels apart is lost from the code.",
    reference="Bengio, Lamblin, Popovici and Larochelle, NeurIPS 2006",
)
_enter(
    name="stacked_denoising_classifier",
    summary="Stacked denoising pretraining, then all layers trained to tell the labels apart.",
    called="stacked denoising classifier",
    network={"reads_code": True},
    terms=_TELLS_LABELS,
    training=_STACKED_NOISE,
    needs="labels",
    use="As the stacked classifier; noise in pretraining keeps wide layers from copying their inputs.",
    failure="What tells no labels apart is lost from the code.",
    reference=_VINCENT,
)
_enter(
    name="classifier",
    summary="An encoder trained to tell the labels apart, from random weights; the decoder only reads its code.",
    called="classifier",
    network={"reads_code": True},
    terms=_TELLS_LABELS,
    needs="labels",
    use="Beside the stacked classifiers: what pretraining brings.",
    failure="What tells no labels apart is lost from the code.",
    reference="none needed: a multilayer perceptron",
)
_enter(
    name="sparse",
    summary="Absolute activations of the code are penalised.",
    called="with sparse code",
    terms=(TermSpec(loss="code_l1", weight=0.1),),
    use="Where each sample should be told by few of many code units.",
    failure="It shrinks the units that stay, and a decoder with large weights undoes the penalty.",
    reference="Olshausen and Field, Nature 381, 1996",
    aliases=("sparse_l1",),
)
_enter(
    name="sparse_rate",
    summary="Code units between 0 and 1 are held to a low mean rate of activity.",
    called="with code of low rate",
    network={"code_activation": "sigmoid"},
    terms=(TermSpec(loss="kl_to_rate", weight=1.0),),
    use="Where every unit should speak, each for few samples.",
    failure="Rates are means over a batch: small batches make them noisy.",
    reference="Ng, Sparse autoencoder, CS294A lecture notes, 2011",
    aliases=("sparse_kl",),
)
_enter(
    name="sparse_top_k",
    summary="Activations beyond the few largest of each sample are penalised.",
    called="with code of few units",
    terms=(TermSpec(loss="top_k_sparsity", weight=1.0, options={"k": 8}),),
    use="Where the number of units that speak for a sample is to be chosen.",
    failure="Units that are never among the largest may stay unused.",
    reference="Makhzani and Frey, k-sparse autoencoders, ICLR 2014",
)
_enter(
    name="contractive",
    summary="The code's derivatives by the inputs are penalised, so that it changes little.",
    called="contractive",
    terms=(TermSpec(loss="contractive", weight=0.01),),
    use="For codes that stand still under small changes of a profile.",
    failure="One backward pass for each code unit makes it slow; batch normalisation is not possible with it.",
    reference="Rifai, Vincent, Muller, Glorot and Bengio, ICML 2011",
)
_enter(
    name="variational",
    summary="The encoder gives a normal distribution of codes, held to a standard normal prior.",
    called="variational",
    network={"variational": True},
    terms=(TermSpec(loss="kl_standard_normal", warm_up=10),),
    use="For a probability model of the data, new samples, or a code whose doubt is known.",
    failure="With a loss whose scale does not match the data the posterior collapses: look at the active units.",
    reference="Kingma and Welling, ICLR 2014",
    aliases=("vae",),
)
_enter(
    name="variational_free_bits",
    summary="Variational, with a share of the divergence that costs nothing.",
    called="variational with free bits",
    network={"variational": True},
    terms=(TermSpec(loss="free_bits", warm_up=10),),
    use="Where the posterior of a variational autoencoder collapses.",
    failure="Below the free share nothing is optimised, so that the bound is loose there.",
    reference="Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling, NeurIPS 2016",
)
_enter(
    name="convolutional",
    summary="Convolutions that halve an image or a series step by step, and back, for any size.",
    called="convolutional",
    network={"architecture": "convolutional", "hidden": (16, 32)},
    needs="shape",
    use="For images and series, where neighbours belong together.",
    failure="Where the order of features means nothing, so do convolutions.",
    reference="LeCun, Bottou, Bengio and Haffner, Proceedings of the IEEE 86, 1998",
)
