"""One training on one core: losslens against a plain PyTorch loop, Lightning and Keras on JAX.

Everyone trains the same network (G-256-32-256-G, ReLU, mean squared error, Adam) on the same rows of the
bundled pancreas data for the same number of epochs, with the validation loss after each. Contenders are resident
processes on one core with one thread that take turns; imports and compilation are not counted.

    python benchmarks/training.py --json benchmarks/results/training.json
    python benchmarks/training.py --peers plain --batch 64
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from _peers import CONTENDERS, Settings
from _timing import ONE_THREAD, Worker, in_turn, machine, pairwise_ratios, save, say, spread, table

HERE = Path(__file__).resolve().parent
CONSTRAINTS = HERE.parent / "constraints.txt"
PACKAGES = {"lightning": ["torch", "numpy", "lightning"], "keras-jax": ["numpy", "keras", "jax"]}
ENVIRONMENTS = Path.home() / ".cache" / "losslens-benchmarks"


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as folder:
        settings = prepare(Path(folder), options)
        workers = [start(name, settings, options.envs) for name in ("losslens", *options.peers)]
        try:
            result = measure(workers, options.repeats)
        finally:
            for worker in workers:
                worker.close()
        with np.load(settings.arrays) as file:
            variance = float(np.mean(file["test"] ** 2, dtype=np.float64))
    shown = {k: v for k, v in asdict(settings).items() if k not in ("arrays", "folder")}
    result |= {"settings": shown, "machine": machine(), "mse of the mean profile": variance}
    print(text(result))
    save(result, options.json)
    return result


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    others = [name for name in CONTENDERS if name != "losslens"]
    parser.add_argument("--peers", nargs="*", default=others, choices=others, help="default: all")
    parser.add_argument("--batch", type=int, help="rows in a batch (default: what losslens takes for these data)")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=1e-3, help="Adam's learning rate")
    parser.add_argument("--repeats", type=int, default=9, help="rounds; every contender trains once in each")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="of losslens alone")
    parser.add_argument("--core", type=int, default=last_core(), help="the core that all are bound to")
    parser.add_argument("--envs", type=Path, default=ENVIRONMENTS, help="where the peers' environments are kept")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument("--quick", action="store_true", help="one epoch, one round, the plain loop only: does it run?")
    options = parser.parse_args(arguments)
    if options.quick:
        options.epochs, options.repeats, options.peers = 1, 1, ["plain"]
    return options


def last_core() -> int:
    """The highest-numbered core this process may use."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def prepare(folder: Path, options: argparse.Namespace) -> Settings:
    """Write the data once for everyone: losslens's memory-mapped folder, and its rows as centred arrays."""
    from losslens.data.readers import read
    from losslens.faces.settings import LARGE_BATCH, SMALL, SMALL_BATCH
    from losslens.run.prepared import DataFolder
    from losslens.run.spec import SplitSpec, TransformSpec

    profiles = read("pancreas")
    data = DataFolder.write(profiles, folder)
    prepared = data.prepare(SplitSpec(repeat=0), TransformSpec(name="library_log"))
    values, split = prepared.profiles.matrix.numpy(), prepared.split
    centre = values[split.train].mean(0)
    arrays = folder / "arrays.npz"
    np.savez(arrays, **{part: values[getattr(split, part)] - centre for part in ("train", "valid", "test")})
    usual = SMALL_BATCH if profiles.shape[0] < SMALL else LARGE_BATCH
    names = ("epochs", "lr", "precision", "core")
    shared = {name: getattr(options, name) for name in names}
    return Settings(arrays=str(arrays), folder=str(data.folder), batch=options.batch or usual, **shared)


def start(name: str, settings: Settings, envs: Path) -> Worker:
    """A contender's process in the environment it needs."""
    python = environment(name, envs) if name in PACKAGES else sys.executable
    return Worker(name, [python, str(HERE / "_peers.py"), name, json.dumps(asdict(settings))], ONE_THREAD)


def environment(name: str, envs: Path) -> str:
    """The interpreter of a peer's own virtual environment, which is made the first time."""
    folder = envs / name
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    complete = folder / "complete"
    if not complete.exists():
        say(f"installing {', '.join(PACKAGES[name])} in {folder}")
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(CONSTRAINTS), *PACKAGES[name]]
        subprocess.run(install, check=True, stdout=sys.stderr)
        complete.touch()
    return str(python)


def measure(workers: list[Worker], repeats: int) -> dict[str, Any]:
    """All contenders in turn, round after round."""
    for worker in workers:
        worker.wait_ready()
        say(f"{worker.name} is ready")
    by_name = {worker.name: worker for worker in workers}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in by_name}
    for repeat in range(repeats):
        for name in in_turn(list(by_name), repeat):
            runs[name].append(by_name[name].ask(str(repeat + 1)))
            took = [f"{runs[name][-1][clock]:.2f} s {clock}" for clock in ("cpu", "wall")]
            say(f"round {repeat + 1}/{repeats} {name}: {', '.join(took)}")
    return {"runs": runs, "versions": {name: worker.ready for name, worker in by_name.items()}}


def text(result: dict[str, Any]) -> str:
    """The result for people."""
    settings, runs = Settings(arrays="", folder="", **result["settings"]), result["runs"]
    rounds = len(runs["losslens"])
    rows = [row(name, runs, result["mse of the mean profile"]) for name in runs]
    head = ["", "CPU s", "wall s", "CPU over losslens", "wall over losslens", "held-out MSE", "R2"]
    what = (
        f"One training of 1000-{settings.hidden}-{settings.code}-{settings.hidden}-1000 on pancreas:"
        f" {settings.epochs} epochs, batch {settings.batch}, Adam {settings.lr:g}, losslens in {settings.precision}."
    )
    how = f"One core, one thread, {rounds} rounds in turn; median (min..max); ratios round by round."
    libraries = {name: ", ".join(f"{k} {v}" for k, v in found.items()) for name, found in result["versions"].items()}
    versions = [f"{name}: {found}" for name, found in libraries.items()]
    return "\n".join([what, how, on(result["machine"]), "", table(head, rows), "", *versions])


def on(machine: dict[str, Any]) -> str:
    return f"{machine['processor']}, {machine['cores']} cores; load at the end {machine['load']}."


def row(name: str, runs: dict[str, list[dict[str, float]]], variance: float) -> list[str]:
    keys = ("cpu", "wall", "mse")
    mine, ours = ({key: [run[key] for run in runs[who]] for key in keys} for who in (name, "losslens"))
    ratios = [spread(pairwise_ratios(mine[key], ours[key])) for key in ("cpu", "wall")]
    score = f"{1 - statistics.median(mine['mse']) / variance:.3f}"
    return [name, spread(mine["cpu"]), spread(mine["wall"]), *ratios, spread(mine["mse"], 4), score]


if __name__ == "__main__":
    main()
