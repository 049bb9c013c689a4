"""Variational autoencoders with count likelihoods beside PCA: held-out nats over all codes, and what the code holds.

One hidden layer of 128 units and a code of 10, as tools for single cells have by default: encoder of log-normalised
profiles, softmax times library size, one dispersion a feature. "scVI-like" adds what those tools also have by default:
batch normalisation and a dropout of 0.1. Judged by the importance-weighted bound on the negative log-likelihood of a
held-out profile, 5 nearest neighbours and k-means ARI of the code. Leads of each row over PCA and over the scVI-like
negative binomial are paired by split, their 95 % intervals corrected for splits that share samples.

    python benchmarks/variational_counts.py --json benchmarks/results/variational-counts.json
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from _comparing import beside, compared, parser, report, values
from beating_pca import citeseq_cbmc, pancreas
from losslens.report.document import Document

NETWORK: dict[str, Any] = {"hidden": (128,), "code": 10}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {
        "losses": ["poisson", "negative_binomial", "zero_inflated_negative_binomial"],
        "models": ("autoencoder", "variational", "variational_free_bits"),
    },
    "scVI-like": {
        "losses": ["negative_binomial", "zero_inflated_negative_binomial"],
        "models": ("variational",),
        "normalisation": "batch",
        "dropout": 0.1,
    },
}
YARDSTICKS = (
    "marginal_nats_mass",
    "nats_mass",
    "knn_accuracy",
    "kmeans_ari",
    "active_units",
    "zeros_gap",
    "variance_gap",
)
SCVI = ("scVI-like", "negative_binomial@variational")
JUDGED = {"marginal_nats_mass": (SCVI, False), "knn_accuracy": (("plain", "pca"), True)}


def scores(document: Document, key: str) -> dict[str, list[float]]:
    found = {y: values(document, key, y) for y in YARDSTICKS if y in document.row(key).measurements}
    return {y: own for y, own in found.items() if own}


def rows_of(name: str, documents: dict[str, Document]) -> list[dict[str, Any]]:
    """Every row of every setting, with its leads."""
    found = []
    for setting, document in documents.items():
        trained = [row for row in document.rows if row.role == "candidate" or (setting, row.key) == ("plain", "pca")]
        for row in trained:
            own = scores(document, row.key)
            leads = {
                yardstick: str(beside(own[yardstick], other, higher_is_better=higher))
                for yardstick, ((where, key), higher) in JUDGED.items()
                if yardstick in own and (setting, row.key) != (where, key)
                for other in [scores(documents[where], key)[yardstick]]
            }
            found.append({"data": name, "setting": setting, "row": row.title, "scores": own, "leads": leads})
    return found


def shown(each: dict[str, Any]) -> Sequence[str]:
    own = each["scores"]
    means = [f"{sum(own[y]) / len(own[y]):.4g}" if y in own else "" for y in YARDSTICKS]
    return [each["data"], each["setting"], each["row"], *means, *(each["leads"].get(y, "") for y in JUDGED)]


def main() -> None:
    asked = parser(__doc__ or "").parse_args()
    data = {"pancreas": pancreas} if asked.quick else {"pancreas": pancreas, "citeseq_cbmc": citeseq_cbmc}
    budget = {"epochs": 2, "repeats": 2} if asked.quick else {"repeats": asked.repeats}
    found: list[dict[str, Any]] = []
    for name, read in data.items():
        counts, how = read()
        documents = {}
        for setting, own in SETTINGS.items():
            run = name if setting == "plain" else f"{name} {setting}"
            options = NETWORK | own | how | budget
            documents[setting] = compared(run, counts, asked.folder / "variational-counts", **options)
        found += rows_of(name, documents)
    head = ["data", "settings", "row", *YARDSTICKS, "nats under scVI-like NB", "kNN over PCA"]
    report(f"Count models, {asked.repeats} splits, means", head, [shown(each) for each in found], asked.json, found)


if __name__ == "__main__":
    main()
