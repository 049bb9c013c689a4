"""When PCA wins, and which levers bring an autoencoder to it or above: held-out R2 and delta-cosine at each code size.

Every lever is an ordinary option of ``losslens compare``: the linear path that starts at PCA, denoising, dropout,
weight decay, the running mean of weights, a wider network, likelihoods of counts, and combinations. All others use the
mean squared error with a linear output; all have the same splits and the same budget. Dropout and what follows it are
tried at the largest code only, where PCA is hardest to beat. A lead is paired by split, its 95 % interval corrected for
splits that share samples; behind it in how many splits it is positive.

    python benchmarks/beating_pca.py --json benchmarks/results/beating-pca.json
"""

from __future__ import annotations

from typing import Any

from _comparing import beside, compared, parser, report, values

YARDSTICKS = ("r2", "delta_cosine")
PLAIN = ("autoencoder", "denoising")
PATHS = ("pca_path", "pca_path_averaged", "pca_path_denoising")
LEVERS: dict[str, dict[str, Any]] = {  # name -> options, and which models they are tried on
    "as it is": {"models": (*PLAIN, *PATHS)},
    "dropout 0.3": {"models": ("autoencoder", "pca_path"), "dropout": 0.3},
    "weight decay 0.1": {"models": ("autoencoder", "pca_path"), "weight_decay": 0.1},
    "weights averaged": {"models": ("autoencoder", "pca_path"), "average": 0.99},
    "1024 hidden units": {"models": ("autoencoder", "pca_path_averaged"), "hidden": (1024,)},
    "Poisson": {"models": ("autoencoder", "pca_path", "pca_path_denoising"), "losses": ["poisson"]},
    "negative binomial": {"models": ("autoencoder", "pca_path"), "losses": ["negative_binomial"]},
}


def pancreas() -> tuple[Any, dict[str, Any]]:
    return "pancreas", {}


def citeseq_cbmc() -> tuple[Any, dict[str, Any]]:
    from _fetch import citeseq_cbmc as fetched

    return fetched(), {"label": "cell_type"}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--codes", default="4,8,16,32", help="code sizes")
    asked = options.parse_args()
    codes = [4] if asked.quick else [int(code) for code in asked.codes.split(",")]
    levers = dict([next(iter(LEVERS.items()))]) if asked.quick else LEVERS
    data = {"pancreas": pancreas} if asked.quick else {"pancreas": pancreas, "citeseq_cbmc": citeseq_cbmc}
    rows, found = [], []
    for name, read in data.items():
        values_of, how = read()
        for code in codes:
            for lever, settings in levers.items():
                if lever != "as it is" and code != codes[-1]:
                    continue
                budget = {"epochs": 2, "repeats": 2} if asked.quick else {"repeats": asked.repeats}
                document = compared(
                    f"{name} {code} {lever}",
                    values_of,
                    asked.folder / "beating-pca",
                    code=code,
                    goal="magnitude",
                    **({"losses": ["mse"]} | how | settings | budget),
                )
                for model in settings["models"]:
                    (loss,) = settings.get("losses", ["mse"])
                    key = loss if model == "autoencoder" else f"{loss}@{model}"
                    leads = {y: beside(values(document, key, y), values(document, "pca", y)) for y in YARDSTICKS}
                    base = sum(values(document, "pca", "r2")) / len(values(document, "pca", "r2"))
                    rows.append([name, str(code), f"{base:.4f}", model, lever, *(str(lead) for lead in leads.values())])
                    found.append(
                        {"data": name, "code": code, "model": model, "lever": lever, "pca r2": base}
                        | {y: vars(lead) for y, lead in leads.items()}
                    )
    head = ["data", "code", "PCA's R2", "model", "lever", "R2 over PCA", "delta-cosine over PCA"]
    report(f"Leads over PCA of the same code size, {asked.repeats} splits", head, rows, asked.json, found)


if __name__ == "__main__":
    main()
