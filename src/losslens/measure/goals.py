"""Goals: what a comparison is for, and which yardstick decides it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from losslens.measure.evidence import Measure
from losslens.measure.metrics import METRICS, Metric
from losslens.vocabulary.catalogue import Catalogue


@dataclass(frozen=True)
class Goal:
    """One thing that a user may want of a model; ``choose(labelled, measure)`` names the yardstick that decides.

    ``explanation`` says why that yardstick and not another, in words for the report.
    """

    name: str
    summary: str
    explanation: str
    choose: Callable[[bool, Measure | None], str]
    aliases: tuple[str, ...] = ()

    def yardstick(self, *, labelled: bool = False, measure: Measure | None = None) -> Metric:
        """The yardstick that decides, for data with or without labels and likelihoods of this measure.

        >>> GOALS["code"].yardstick(labelled=True).name, GOALS["code"].yardstick().name
        ('knn_accuracy', 'trustworthiness')
        """
        return METRICS[self.choose(labelled, measure)]


GOALS: Catalogue[Goal] = Catalogue("goal")


def judges_sizes(decides: Metric) -> Metric:
    """The yardstick by which code sizes are judged, given the one that decides among losses.

    A reconstruction only gets closer as codes get longer, since a longer code copies more of the noise too. What is
    told of hidden values does not, nor what labels say.

    >>> judges_sizes(METRICS["r2"]).name, judges_sizes(METRICS["knn_accuracy"]).name
    ('hidden_r2', 'knn_accuracy')
    """
    return decides if decides.name == "knn_accuracy" else METRICS["hidden_r2"]


GOALS.add(
    Goal(
        "direction",
        "Which features stand out in which sample, whatever the overall level.",
        "Delta-cosine decides, and not the raw cosine: raw cosine flatters everything, since profiles resemble one "
        "another and the mean profile alone often reaches 0.8 or more. With the training mean taken from both sides, "
        "only what tells samples apart is left to judge.",
        lambda labelled, measure: "delta_cosine",
    )
)
GOALS.add(
    Goal(
        "magnitude",
        "Values close to the measured ones, in data units.",
        "R\N{SUPERSCRIPT TWO} around the training mean decides: it is the squared error, put on a scale where the mean "
        "profile scores 0 and a perfect reconstruction 1.",
        lambda labelled, measure: "r2",
    )
)
GOALS.add(
    Goal(
        "likelihood",
        "A probability model of the data, not a point prediction.",
        "Held-out nats decide: how probable the model finds profiles it has never seen. Only losses that are "
        "likelihoods have them, and those of counts and those of real numbers cannot be compared with each other.",
        lambda labelled, measure: "nats_mass" if measure == "mass" else "nats_density",
    )
)
GOALS.add(
    Goal(
        "code",
        "A small representation to cluster, search or classify with.",
        "With labels, the balanced accuracy of the 5 nearest neighbours decides: it asks directly whether samples of "
        "one kind lie together, and needs no further training. Without labels trustworthiness decides. k-means scores "
        "(ARI, NMI) are shown but never decide: they jump with the start and the split.",
        lambda labelled, measure: "knn_accuracy" if labelled else "trustworthiness",
    )
)
