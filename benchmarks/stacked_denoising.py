"""What pretraining layer by layer, and denoising in it, brings; and the order of the corruptions.

On digits (8 x 8) and on 5,000 digits of 28 x 28, the same deep sigmoid network is trained end to end, stacked (each
layer first trained to restore what it is given) and stacked denoising (each from a corrupted form); then all layers
together, once as an autoencoder and once as a classifier. Judged by 5 nearest neighbours and a linear probe on the
code and, for classifiers, by their own labels. Errors are shares of held-out samples, every class counting the same,
over random splits; leads are paired by split, their 95 % intervals corrected for splits that share samples.

    python benchmarks/stacked_denoising.py --json benchmarks/results/stacked-denoising.json
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _comparing import beside, compared, parser, report, values
from losslens.report.document import Document

NETWORK = {"losses": ["mse+sigmoid"], "hidden": (256, 256), "code": 64, "activation": "sigmoid"}
BUDGET = {"epochs": 200, "learning_rates": [1e-3, 3e-3]}
CORRUPTIONS = (  # published test errors on rotated digits: masking 9.53 %, salt and pepper with full emphasis 8.76 %
    ("masking:0.25", "none"),
    ("masking:0.25", "full"),
    ("salt_and_pepper:0.25", "none"),
    ("salt_and_pepper:0.25", "full"),
    ("gaussian:0.3", "none"),
)
FAMILIES = {  # stacked denoising -> what it is held against
    "stacked_denoising": ("autoencoder", "stacked"),
    "stacked_denoising_classifier": ("classifier", "stacked_classifier"),
}
CODE, OWN = ("knn_accuracy", "linear_probe"), ("classifier_accuracy",)


def digits() -> tuple[Any, dict[str, Any]]:
    return "digits", {}


def mnist_5k() -> tuple[Any, dict[str, Any]]:
    from _fetch import mnist_5k as fetched

    images, labels = fetched()
    return images, {"label": labels, "kind": "pixels"}


def key(model: str) -> str:
    return "mse+sigmoid" if model == "autoencoder" else f"mse+sigmoid@{model}"


def errors(document: Document, model: str, yardstick: str) -> list[float]:
    return [1.0 - value for value in values(document, key(model), yardstick)]


def leads(plain: Document, noisy: Document) -> Iterator[dict[str, Any]]:
    """Every stacked denoising model beside the two without noise, in every yardstick."""
    for model, others in FAMILIES.items():
        for yardstick in CODE + (OWN if model.endswith("classifier") else ()):
            own = errors(noisy, model, yardstick)
            for other in others:
                theirs = errors(plain, other, yardstick)
                lead = beside(own, theirs, higher_is_better=False)
                yield {"model": model, "yardstick": yardstick, "errors": own} | {
                    "versus": other,
                    "their errors": theirs,
                    "lead": vars(lead),
                    "told": str(lead),
                }


def measured(name: str, images: Any, folder: Path, corruptions: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
    own = options | {"models": [model for others in FAMILIES.values() for model in others]}
    plain = compared(f"{name} without noise", images, folder, **own)
    found = []
    for corruption, emphasis in corruptions:
        own = options | {"models": list(FAMILIES), "corruption": corruption, "emphasis": emphasis}
        noisy = compared(f"{name} {corruption} {emphasis}".replace(":", "-"), images, folder, **own)
        about = {"data": name, "corruption": corruption, "emphasis": emphasis}
        found += [about | lead for lead in leads(plain, noisy)]
    return found


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--pretraining", type=int, default=60, help="epochs for each layer")
    asked = options.parse_args()
    data = {"digits": digits} if asked.quick else {"digits": digits, "mnist_5k": mnist_5k}
    budget = {"epochs": 2, "pretraining": 2, "repeats": 2} if asked.quick else BUDGET | {"repeats": asked.repeats}
    budget = {"pretraining": asked.pretraining} | budget
    found: list[dict[str, Any]] = []
    for name, read in data.items():
        images, how = read()
        corruptions = CORRUPTIONS[:1] if asked.quick else CORRUPTIONS
        found += measured(name, images, asked.folder / "stacked-denoising", corruptions, NETWORK | how | budget)
    head = ["data", "corruption", "emphasis", "model", "yardstick", "error", "versus", "its error", "lead"]
    rows = [[*(each[name] for name in head[:5]), *_told(each)] for each in found]
    report(f"Errors after pretraining with noise, {asked.repeats} splits", head, rows, asked.json, found)


def _told(each: dict[str, Any]) -> list[str]:
    own, theirs = (f"{sum(each[name]) / len(each[name]):.2%}" for name in ("errors", "their errors"))
    return [own, each["versus"], theirs, each["told"]]


if __name__ == "__main__":
    main()
