"""A report of the size and kind that a real comparison makes: 14 rows, 5 repeats, 400 picture points."""

from __future__ import annotations

import numpy as np

from losslens.report.document import (
    Curve,
    Dataset,
    Difference,
    Divergence,
    Document,
    Example,
    Fact,
    Goal,
    Measurement,
    Picture,
    PredictiveCheck,
    Refusal,
    Row,
    Setting,
    SizeCurve,
    SizePoint,
    Sweep,
    Yardstick,
)
from losslens.report.findings import RowFinding, title

REPEATS = 5
CLASSES = {"alpha": 886, "beta": 525, "ductal": 386, "acinar": 258, "delta": 214, "gamma": 197, "stellate": 54,
           "endothelial": 21, "epsilon": 10}  # fmt: skip
RATES = (3e-4, 1e-3, 3e-3)

YARDSTICKS = [
    ("cosine", "cosine", "", True, "Mean cosine of a held-out profile and its reconstruction."),
    ("delta_cosine", "delta-cosine", "1 (-1 to 1)", True, "Cosine after the training mean is taken from both."),
    ("pearson", "Pearson per profile", "", True, "Correlation over features, averaged over profiles."),
    ("feature_pearson", "Pearson per feature", "", True, "Correlation over profiles, averaged over features."),
    ("mse", "MSE", "(log1p CP10k)²", False, "Mean squared error."),
    ("mae", "MAE", "log1p CP10k", False, "Mean absolute error."),
    ("r2", "R²", "", True, "Share of the held-out variance explained."),
    ("norm_ratio", "norm ratio", "", None, "Length of the reconstruction over the length of the profile; best at 1."),
    ("mse_nonzero", "MSE, non-zeros", "(log1p CP10k)²", False, "Mean squared error over entries that are not zero."),
    ("zero_auroc", "zero AUROC", "", True, "How well the reconstruction tells zeros from non-zeros."),
    ("nats", "held-out nats", "nats per profile", False, "Negative log-likelihood; only for likelihoods."),
    ("trustworthiness", "trustworthiness", "", True, "Neighbours in the code that are neighbours in the data."),
    ("knn", "kNN balanced accuracy", "", True, "Accuracy of a nearest-neighbour vote in the code."),
    ("ari", "k-means ARI", "", True, "Agreement of clusters with labels. Noisy; never decides."),
]  # fmt: skip

BEST = "cosine_mse@pca_path"
BY_SIZE = "softmax × library size"
# key, title, loss, link, model, verdict, quality (delta-cosine), parameters
ROWS = [
    (BEST, "cosine plus mse · PCA path", "cosine_mse", "identity", "PCA path", "recommended", 0.447, 1_190_432),
    ("cosine@pca_path", "cosine · PCA path", "cosine", "identity", "PCA path", "tied", 0.446, 1_190_433),
    ("pca", "PCA, 32 components", "", "", "PCA", "baseline", 0.443, 66_000),
    ("mse@pca_path", "mse · PCA path", "mse", "identity", "PCA path", "tied", 0.441, 1_190_432),
    ("pearson", "pearson", "pearson", "identity", "plain", "worse", 0.418, 1_057_313),
    ("cosine", "cosine", "cosine", "identity", "plain", "worse", 0.415, 1_057_313),
    ("negative_binomial", "negative binomial", "negative_binomial", BY_SIZE, "plain", "worse", 0.409, 2_057_312),
    ("poisson", "Poisson", "poisson", BY_SIZE, "plain", "worse", 0.402, 1_057_312),
    ("mse", "mse", "mse", "identity", "plain", "worse", 0.391, 1_057_312),
    ("huber", "Huber", "huber", "identity", "plain", "worse", 0.388, 1_057_312),
    ("mae", "mae", "mae", "softplus", "plain", "worse", 0.301, 1_057_312),
    ("mean", "mean profile", "", "", "mean", "baseline", 0.0, 2_000),
    ("zeros", "zeros", "", "", "zeros", "baseline", 0.0, 0),
    ("laplace", "Laplace", "laplace", "identity", "plain", "diverged", None, 1_057_312),
]  # fmt: skip


def document() -> Document:
    """The same report at every call."""
    rng = np.random.default_rng(7)
    shift = rng.normal(0, 0.008, REPEATS)  # splits differ by more than candidates do
    labels = rng.choice(list(CLASSES), size=400, p=np.array(list(CLASSES.values())) / sum(CLASSES.values()))
    rows = [_row(spec, shift, rng) for spec in ROWS]
    learned = [row.key for row in rows if row.measurements and row.key not in ("mean", "zeros")]
    return Document(
        losslens="0.1.0",
        title="losslens: pancreas",
        sentence=SENTENCE,
        advice=ADVICE,
        code='loss = losslens.criterion("cosine_mse", weight=0.5)  # on log1p of counts per 10,000',
        recommended=ROWS[0][0],
        dataset=_dataset(),
        goal=Goal(
            name="direction",
            yardstick="delta_cosine",
            inferred=True,
            reason="Library sizes differ, so the composition of a profile means more than its total.",
        ),
        yardsticks=[
            Yardstick(name=n, title=t, unit=u, higher_is_better=h, explanation=e) for n, t, u, h, e in YARDSTICKS
        ],
        rows=rows,
        refused=REFUSED,
        not_run=["Repeat 5 of log_cosh was not run: the budget of 5 min was spent."],
        examples=[_example(index, learned, rng) for index in range(12)],
        pictures=[_picture(key, labels, rng) for key in learned],
        picture_labels=[str(label) for label in labels],
        settings=[Setting(name=name, value=value) for name, value in SETTINGS],
        versions={"losslens": "0.1.0", "torch": "2.9.1", "numpy": "2.3.4", "python": "3.11.2"},
        seconds=221.4,
        written="2026-01-01T12:00:00",
    )


SENTENCE = (
    "For the direction of these profiles, train the network with the PCA path under cosine plus mse: held-out "
    "delta-cosine 0.447, which cannot be told apart from PCA with the same code size (0.443; difference 0.004, "
    "95 % interval -0.002 to 0.010) and beats mse on the plain network by 0.056 (0.047 to 0.065)."
)
ADVICE = [
    "PCA of the same code size is as good as every plain autoencoder here; a larger code (--code 64) is worth a try.",
    "Raw cosine is 0.86 for the mean profile alone, so a high cosine says little on these data.",
]
REFUSED = [
    Refusal(candidate="bce + sigmoid", reason="Bernoulli cross-entropy needs values in [0, 1]: the largest is 9,841."),
    Refusal(candidate="continuous_bernoulli + sigmoid", reason="needs values in [0, 1]: the largest is 9,841."),
    Refusal(candidate="cosine + softmax", reason="softmax fixes the sum of a profile; log1p values differ in it."),
]  # fmt: skip
SETTINGS = [
    ("network", "2,000 – 256 – 32 – 256 – 2,000, ReLU"),
    ("optimiser", "Adam, batch 128, at most 100 epochs, early stopping after 10 without improvement"),
    ("learning rates", "0.0003, 0.001, 0.003; chosen on the validation part"),
    ("splits", "5 random splits 70/15/15, stratified by label"),
    ("interval", "corrected resampled t (Nadeau and Bengio), Holm over candidates"),
    ("seed", "0"),
]  # fmt: skip


def _dataset() -> Dataset:
    facts = [
        Fact(name="values", value="integers from 0 to 9,841", note="raw counts"),
        Fact(name="zeros", value="83 %", note="sparse: zero detection and MSE on non-zeros are reported"),
        Fact(name="dynamic range", value="4.0 decades", note="a logarithm is taken"),
        Fact(name="over-dispersion", value="variance 6.2 × mean", note="negative binomial fits better than Poisson"),
        Fact(name="library size", value="1,203 to 41,877", note="normalised to 10,000 per profile"),
        Fact(name="all-zero rows", value="0"),
        Fact(name="all-zero columns", value="12", note="kept; left out of per-feature Pearson"),
        Fact(name="missing values", value="0"),
        Fact(name="duplicates", value="0"),
    ]
    return Dataset(
        name="pancreas", source="bundled: pancreas", samples=2551, features=2000, classes=CLASSES, kind="counts",
        reason="All values are whole numbers from 0 to 9,841.", facts=facts,
        remarks=["labels read from the column 'celltype'"], transform="Counts per 10,000, then the logarithm of 1 + x.",
        space="log1p of counts per 10,000", content_hash="0f3a9c1177d2b8e4",
    )  # fmt: skip


def _row(spec: tuple, shift: np.ndarray, rng: np.random.Generator) -> Row:
    key, title, loss, link, model, verdict, quality, parameters = spec
    candidate = bool(loss)
    return Row(
        key=key, title=title, role="candidate" if candidate else "baseline", loss=loss, link=link, model=model,
        verdict=verdict, note="The loss became infinite in epoch 3 at every learning rate." if quality is None else "",
        measurements={} if quality is None else _measurements(key, quality, shift, rng),
        difference=_difference(key, quality, rng), repeats=[] if quality is None else list(range(REPEATS)),
        learning_rates=[1e-3] * REPEATS if candidate else [], epochs=[41, 37, 44, 40, 52] if candidate else [],
        parameters=parameters, seconds=float(rng.uniform(2.5, 6)) if candidate else 0.05,
        trials=[f"{key.replace('@', '-')}-{repeat}" for repeat in range(REPEATS)],
        curves=_curves(quality, rng) if candidate else [],
        findings=[_finding(*spec) for spec in INSIDE.get(key, SOUND)] if candidate else [],
    )  # fmt: skip


# name, where, verdict, value, unit, threshold, epoch, repeats, reason, remedy
SOUND = [
    ("dead_units", "encoder 1", "fine", 0.02, "share of units", 0.5, None, [], "Few are zero.", ""),
    ("over_fitting", "", "fine", 0.01, "1 (ratio)", 0.2, None, [], "Validation loss did not rise.", ""),
]
INSIDE = {
    "laplace": [("exploding_gradients", "decoder 2", "act", 3.1e9, "1 (ratio)", 1e3, 1, [0, 1, 2, 3, 4],
                 "The gradient of this layer grew without bound.", "Lower the learning rate: --lr 1e-4."), *SOUND],
    "mae": [("saturated_units", "output", "act", 0.81, "share of units", 0.5, 3, [0, 2], "They sit on a flat part.",
             "Use a linear output."),
            ("narrow_output", "output", "watch", 0.7, "1 (ratio)", 0.8, 0, [0, 1, 2],
             "The output cannot reach <the largest> values.", "Use a softplus output."), SOUND[0]],
}  # fmt: skip


def _finding(*spec: object) -> RowFinding:
    name, where, verdict, value, unit, threshold, epoch, repeats, reason, remedy = spec
    return RowFinding(name=name, title=title(name), where=where, verdict=verdict, value=value, unit=unit,
                      threshold=threshold, epoch=epoch, repeats=repeats, looked=REPEATS, reason=reason,
                      remedy=remedy)  # fmt: skip


def _measurements(key: str, quality: float, shift: np.ndarray, rng: np.random.Generator) -> dict[str, Measurement]:
    means = {
        "cosine": 0.86 + quality / 6, "delta_cosine": quality, "pearson": 0.8 + quality / 5,
        "feature_pearson": quality / 2, "mse": 0.31 - quality / 4, "mae": 0.33 - quality / 5, "r2": quality / 2.2,
        "norm_ratio": 0.86 + quality / 5, "mse_nonzero": 1.4 - quality, "zero_auroc": 0.71 + quality / 4,
        "trustworthiness": 0.8 + quality / 3, "knn": 0.5 + quality, "ari": quality + 0.1,
    }  # fmt: skip
    if key in ("poisson", "negative_binomial"):
        means["nats"] = 2310.0 if key == "poisson" else 2122.0
    if key == "zeros":
        means = {"mse": 0.71, "mae": 0.45, "norm_ratio": 0.0, "delta_cosine": -0.02}
    return {name: _measured(mean, shift, rng) for name, mean in means.items()}


def _measured(mean: float, shift: np.ndarray, rng: np.random.Generator) -> Measurement:
    values = mean * (1 + shift + rng.normal(0, 0.003, REPEATS))
    return Measurement(mean=float(values.mean()), sd=float(values.std(ddof=1)), values=[float(v) for v in values])


def _difference(key: str, quality: float | None, rng: np.random.Generator) -> Difference | None:
    best = ROWS[0]
    if quality is None or key == best[0]:
        return None
    gap, half = best[6] - quality + float(rng.normal(0, 0.001)), float(rng.uniform(0.004, 0.009))
    p = 0.3 if gap < half else 0.002
    return Difference(
        versus=best[0], mean=gap, low=gap - half, high=gap + half, p=p, p_holm=min(1.0, 3 * p), repeats=REPEATS
    )


def _curves(quality: float | None, rng: np.random.Generator) -> list[Curve]:
    curves = []
    for repeat in range(REPEATS):
        for lr in RATES:
            epochs = int(rng.integers(35, 60))
            fall = np.exp(-np.arange(epochs) * lr * 120) + 0.4 - (quality or 0) / 3
            train, valid = fall * (1 + rng.normal(0, 0.004, epochs)), fall * 1.04 + 0.0009 * np.arange(epochs)
            if quality is None:
                train[3:], valid[3:] = np.inf, np.nan
            curves.append(
                Curve(repeat=repeat, lr=lr, train=train[1:].tolist(), valid=valid.tolist(), chosen=lr == 1e-3,
                      best_epoch=0 if quality is None else int(valid.argmin()))
            )  # fmt: skip
    return curves


def _example(index: int, keys: list[str], rng: np.random.Generator) -> Example:
    target = rng.gamma(0.5, 2.0, 60) * (rng.random(60) > 0.3)
    return Example(
        sample=f"cell_{index:04d}", label=list(CLASSES)[index % len(CLASSES)],
        features=[f"GENE{number}" for number in range(60)], target=target.tolist(),
        reconstructions={key: (0.6 * target + 0.4 + rng.normal(0, 0.25, 60)).tolist() for key in keys},
    )  # fmt: skip


def _picture(row: str, labels: np.ndarray, rng: np.random.Generator) -> Picture:
    names = list(CLASSES)
    centres = rng.normal(0, 30, (len(names), 2))
    points = centres[[names.index(label) for label in labels]] + rng.normal(0, 5, (len(labels), 2))
    return Picture(row=row, x=points[:, 0].tolist(), y=points[:, 1].tolist())


SIZES = (8, 16, 32)
SIZED = {"mse": "mse", "mse@pca_path": "mse with PCA path", "pca": "PCA"}  # what is shown at several code sizes


def swept() -> Document:
    """A comparison of three code sizes, with a variational row and two models of counts."""
    rng, whole = np.random.default_rng(11), document()
    rows = [_at_size(whole.row(key), title, size, rng) for key, title in SIZED.items() for size in SIZES]
    latent = _row(("mse@variational/16", "mse, variational, code 16", "mse", "linear", "variational", "worse", 0.3, 9),
                  np.zeros(REPEATS), rng)  # fmt: skip
    counted = [whole.row(key) for key in ("poisson", "negative_binomial")]
    counted = [row.model_copy(update={"key": f"{row.key}/16", "title": f"{row.title}, code 16"}) for row in counted]
    rows = [_against(row) for row in (*rows, latent, *counted, whole.row("mean"))]
    rows = sorted(rows, key=lambda row: -row.measurements["delta_cosine"].mean)
    kept = [row.key for row in rows if row.verdict != "other size" and row.key != "mean"]
    return whole.model_copy(
        update={
            "rows": rows,
            "recommended": "mse@pca_path/16",
            "yardsticks": [*whole.yardsticks, *(Yardstick(name=n, title=t, unit=u, higher_is_better=h, explanation=e)
                                                for n, t, u, h, e in OF_MODELS)],
            "sweep": Sweep(yardstick="hidden_r2", sizes=list(SIZES), chosen=16, leader="mse@pca_path",
                           curves=[_size_curve(key, rows) for key in ("mse@pca_path", "mse", "pca")]),
            "checks": [_predicted(row.key, rng) for row in counted],
            "divergences": [Divergence(row=latent.key, kl_weight=0.02, active=3.0, code=16, verdict="weak",
                                       collapsed=True)],
            "examples": [_example(index, kept, rng) for index in range(3)],
            "pictures": [_picture(key, np.array(whole.picture_labels), rng) for key in kept],
        }
    )  # fmt: skip


def _against(row: Row) -> Row:
    """Compared with the best row of the size at which was judged, or with nothing."""
    compared = row.verdict != "other size" and row.key != "mse@pca_path/16" and row.difference is not None
    gap = row.difference.model_copy(update={"versus": "mse@pca_path/16"}) if compared else None
    return row.model_copy(update={"difference": gap})


OF_MODELS = [
    ("active_units", "Active units", "1 (number of units)", None, "Code units that vary."),
    ("kl_weight", "KL weight", "1 (beside half the squared error)", None, "What a nat of divergence weighs."),
    ("zeros_gap", "Zeros, gap", "1 (share of samples)", False, "How far expected zeros are from those seen."),
    ("variance_gap", "Variance, gap", "1 (decades)", False, "How far expected variances are from those seen."),
    ("hidden_r2", "R², hidden values", "1 (at most 1)", True, "R² of values that are told from others."),
]


def _at_size(row: Row, title: str, size: int, rng: np.random.Generator) -> Row:
    """Longer codes reconstruct more closely; hidden values are told best at 16."""
    quality = row.measurements["delta_cosine"].mean + 0.02 * np.log2(size / 16)
    more = {"hidden_r2": 0.3 - 0.05 * abs(np.log2(size / 16)), "active_units": size - size // 8}
    judged = "baseline" if row.role == "baseline" else "recommended" if row.key == "mse@pca_path" else "tied"
    return row.model_copy(
        update={
            "key": f"{row.key}/{size}",
            "title": f"{title}, code {size}",
            "verdict": judged if size == 16 else "other size",
            "measurements": {name: _measured(mean, np.zeros(REPEATS), rng)
                             for name, mean in (more | {"delta_cosine": quality}).items()},
        }
    )  # fmt: skip


def _size_curve(key: str, rows: list[Row]) -> SizeCurve:
    found = {size: next(row for row in rows if row.key == f"{key}/{size}") for size in SIZES}
    means = {size: row.measurements["hidden_r2"].mean for size, row in found.items()}
    points = [SizePoint(size=size, row=row.key, mean=means[size], low=means[size] - 0.01, high=means[size] + 0.01)
              for size, row in found.items()]  # fmt: skip
    role = "baseline" if key == "pca" else "candidate"
    return SizeCurve(key=key, title=SIZED[key], role=role, points=points, knee=16, low=16, high=32)


def _predicted(row: str, rng: np.random.Generator) -> PredictiveCheck:
    zeros, mean = rng.uniform(0.2, 1, 200), rng.lognormal(0, 2, 200)
    return PredictiveCheck(
        row=row, features=2000, profiles=383, zeros_seen=zeros.tolist(), zeros_expected=(zeros**1.2).tolist(),
        mean_seen=mean.tolist(), variance_seen=(mean + mean**2).tolist(), variance_expected=[0.0, *mean[1:].tolist()],
        row_zeros_seen=rng.uniform(0.5, 0.9, 150).tolist(), row_zeros_expected=rng.uniform(0.5, 0.9, 150).tolist(),
        verdict="Somewhat too few zeros; variances far too small.",
    )  # fmt: skip
