"""What pretraining layer by layer, and denoising in it, brings; and the order of the corruptions.

On digits (8 x 8) and on 5,000 digits of 28 x 28, the same deep network is trained end to end, stacked (each layer
first trained to restore what it is given) and stacked denoising (each from a corrupted form), as autoencoders judged by
5 nearest neighbours and a linear probe on the code, and as classifiers judged by their own labels. Errors are shares of
held-out samples, every class counting the same, over random splits; leads are paired by split.

    python benchmarks/stacked_denoising.py --json benchmarks/results/stacked-denoising.json
"""

from __future__ import annotations

from typing import Any

from _comparing import beside, compared, parser, report, values

HIDDEN, CODE = (256, 256), 64
AUTOENCODERS = ("autoencoder", "stacked", "stacked_denoising")
CLASSIFIERS = ("classifier", "stacked_classifier")
CORRUPTIONS = (  # published test errors on rotated digits: masking 9.53 %, salt and pepper with full emphasis 8.76 %
    ("masking:0.25", "none"),
    ("masking:0.25", "double"),
    ("masking:0.25", "full"),
    ("salt_and_pepper:0.25", "none"),
    ("salt_and_pepper:0.25", "full"),
    ("gaussian:0.5", "none"),
)
YARDSTICKS = {"autoencoder": ("knn_accuracy", "linear_probe"), "classifier": ("classifier_accuracy",)}


def digits() -> tuple[Any, dict[str, Any]]:
    return "digits", {}


def mnist_5k() -> tuple[Any, dict[str, Any]]:
    from _fetch import mnist_5k as fetched

    images, labels = fetched()
    return images, {"label": labels, "kind": "pixels"}


def key(model: str) -> str:
    return "mse+sigmoid" if model == "autoencoder" else f"mse+sigmoid@{model}"


def main() -> None:
    asked = parser(__doc__ or "").parse_args()
    data = {"digits": digits} if asked.quick else {"digits": digits, "mnist_5k": mnist_5k}
    budget = {"epochs": 2, "repeats": 2} if asked.quick else {"repeats": asked.repeats}
    corruptions = CORRUPTIONS[:1] if asked.quick else CORRUPTIONS
    rows, found = [], []
    for name, read in data.items():
        images, how = read()
        common = {"losses": ["mse+sigmoid"], "hidden": HIDDEN, "code": CODE, "activation": "sigmoid"} | how | budget
        folder = asked.folder / "stacked-denoising"
        plain = compared(
            f"{name} end to end", images, folder, models=("autoencoder", "stacked", "classifier"), **common
        )
        for corruption, emphasis in corruptions:
            noisy = compared(
                f"{name} {corruption} {emphasis}".replace(":", "-"),
                images,
                folder,
                models=("stacked_denoising", "stacked_classifier"),
                corruption=corruption,
                emphasis=emphasis,
                **common,
            )
            for family, yardsticks in YARDSTICKS.items():
                models = ("autoencoder", "stacked") if family == "autoencoder" else ("classifier",)
                own_model = "stacked_denoising" if family == "autoencoder" else "stacked_classifier"
                for yardstick in yardsticks:
                    own = [1.0 - v for v in values(noisy, key(own_model), yardstick)]
                    for model in models:
                        other = [1.0 - v for v in values(plain, key(model), yardstick)]
                        lead = beside(own, other, higher_is_better=False)
                        errors = [f"{_mean(own):.2%}", model, f"{_mean(other):.2%}", str(lead)]
                        rows.append([name, corruption, emphasis, own_model, yardstick, *errors])
                        found.append(
                            {"data": name, "corruption": corruption, "emphasis": emphasis, "model": own_model}
                            | {"yardstick": yardstick, "errors": own, "versus": model, "their errors": other}
                            | {"lead": vars(lead)}
                        )
    head = ["data", "corruption", "emphasis", "model", "yardstick", "error", "versus", "its error", "lead"]
    report(f"Errors after pretraining with noise, {asked.repeats} splits", head, rows, asked.json, found)


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


if __name__ == "__main__":
    main()
