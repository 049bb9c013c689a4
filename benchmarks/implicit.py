"""SIREN on the camera picture, 128x128, beside ReLU, tanh and Fourier features, and from derivatives alone.

    python benchmarks/implicit.py --json benchmarks/results/implicit.json > benchmarks/results/implicit.md

The picture is inside a wheel of scikit-image, which is downloaded but not installed. The same --folder continues.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import losslens
from _fetch import wheel
from _timing import machine, save, say, table
from losslens.report.fit import Fitted

CARRIER, INSIDE = "scikit-image==0.26.0", "skimage/data/camera.png"
AT = (100, 250, 500)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where runs are kept and continued; by default a temporary one")
    parser.add_argument("--picture", type=Path, help="another picture, instead of the download")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=max(AT))
    parser.add_argument("--hidden", default="256,256,256")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for all readings")
    parser.add_argument("--quick", action="store_true", help="tiny and short: only shows that it runs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    asked = parse(arguments)
    if asked.quick:
        asked.size, asked.steps, asked.hidden = 16, 20, "16"
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        picture = asked.picture or download(folder)
        fits = {name: fit(asked, picture, folder / name, **options) for name, options in RUNS.items()}
    result = {"machine": machine(), "torch": torch.__version__, "fits": {n: f.model_dump() for n, f in fits.items()}}
    save(result, asked.json)
    print(summary(fits, asked))


# Second and third derivatives make a step three to seven times as long, so that fewer are taken.
RUNS: dict[str, dict[str, Any]] = {
    "values": {"task": "image", "share": 1.0, "baselines": ["relu", "tanh", "fourier"]},
    "gradients": {"task": "poisson", "known": "gradients", "share": 0.5, "baselines": ["relu"]},
    "Laplacian": {"task": "poisson", "known": "laplacian", "share": 0.2},
}


def fit(asked: argparse.Namespace, picture: Path, folder: Path, *, task: str, share: float, **options: Any) -> Fitted:
    steps = round(share * asked.steps)
    say(f"{folder.name}: {steps} steps")
    hidden = [int(width) for width in asked.hidden.split(",")]
    return losslens.implicit(
        task, picture, size=asked.size, steps=steps, hidden=hidden, learning_rate=1e-4, out=folder, **options
    ).found


def download(folder: Path) -> Path:
    """The camera picture out of scikit-image's wheel."""
    path = folder / "camera.png"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with wheel(CARRIER) as archive:
            path.write_bytes(archive.read(INSIDE))
    return path


def summary(fits: dict[str, Fitted], asked: argparse.Namespace) -> str:
    """One row for each network: its readings at the steps looked at."""
    at = [step for step in AT if step <= asked.steps] or [asked.steps]
    rows = []
    for name, found in fits.items():
        for row in found.rows:
            readings = dict(row.curve)
            shown = ["–" if readings.get(step) is None else f"{readings[step]:.2f}" for step in at]
            last = "–" if row.score is None else f"{row.score:.2f} (step {row.steps})"
            rows.append([name, row.title, *shown, last, f"{row.parameters:,}"])
    head = ["from", "network", *(f"PSNR at {step} (dB)" for step in at), "at the end", "parameters"]
    about = machine()
    return "\n".join(
        [
            f"Camera, {asked.size} x {asked.size}, hidden layers {asked.hidden}, full batch, Adam 1e-4, one seed, "
            f"torch {torch.__version__}, {asked.threads} thread(s), {about['processor']}, load {about['load']}.",
            "",
            table(head, rows),
        ]
    )


if __name__ == "__main__":
    main()
