"""What live verdicts cost: the same trainings with and without readings, in turn, on one core.

Each round trains the default network on the bundled pancreas data and on small dense data, once as it is in a
comparison (readings on a schedule, judged at the end) and once without; CPU seconds are compared round by round. The
curves of both must be equal to the last digit.

    python benchmarks/watching.py --json benchmarks/results/watching.json
    python benchmarks/watching.py --quick
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from _timing import in_turn, machine, pairwise_ratios, save, spread, table

LOSSES = {"pancreas": ("mse", "cosine", "poisson"), "dense": ("mse", "cosine")}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    import torch

    options = parse(arguments)
    torch.set_num_threads(1)
    cases, results = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for data, losses in LOSSES.items():
            cases |= {f"{data}, {loss}": case for loss, case in prepare(data, losses, Path(folder) / data, options)}
        for name, case in cases.items():
            results[name] = measure(case, options.repeats)
    result = {"runs": results, "machine": machine()}
    rows = [
        [name, str(one["epochs"]), str(one["readings"]), f"{statistics.median(one['without']):.2f}", *shown(one)]
        for name, one in results.items()
    ]
    print(table(["training", "epochs", "readings", "CPU s without", "CPU with over without", "own share"], rows))
    save(result, options.json)
    return result


def shown(one: dict[str, Any]) -> list[str]:
    return [spread(pairwise_ratios(one["with"], one["without"]), 3), f"{100 * statistics.median(one['share']):.1f} %"]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60, help="most epochs of a training")
    parser.add_argument("--repeats", type=int, default=9, help="rounds; each trains with and without")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument("--quick", action="store_true", help="one epoch, one round: does it run?")
    options = parser.parse_args(arguments)
    if options.quick:
        options.epochs, options.repeats = 1, 1
    return options


def prepare(data: str, losses: tuple[str, ...], folder: Path, options: argparse.Namespace) -> list[tuple[str, Any]]:
    """The trials of the first repeat of a comparison, with what a worker would make of the data."""
    from losslens.data.gate import look
    from losslens.data.readers import read
    from losslens.models.spec import ModelSpec
    from losslens.run.composition import Shared
    from losslens.run.plan import plan
    from losslens.run.prepared import DataFolder
    from losslens.run.spec import TrainingSpec

    profiles = read(data if data == "pancreas" else dense())
    shared = Shared(ModelSpec(), TrainingSpec(epochs=options.epochs))
    seen, content = look(profiles, None), profiles.content_hash
    planned = plan(seen, shared, content_hash=content, losses=losses, models=(), repeats=1, seed=0)
    where = DataFolder.write(profiles, folder).folder
    return [(each.objective.loss, (each, where)) for each in planned.trials if each.objective is not None]


def dense() -> np.ndarray:
    """1,797 samples of 64 features on 10 hidden ones: the size of handwritten digits."""
    chance = np.random.default_rng(0)
    return chance.normal(size=(1797, 10)) @ chance.normal(size=(10, 64)) + chance.normal(size=(1797, 64))


def measure(case: Any, repeats: int) -> dict[str, Any]:
    one: dict[str, Any] = {"with": [], "without": [], "share": []}
    for repeat in range(repeats):
        curves = {}
        for name in in_turn(("with", "without"), repeat):
            seconds, own, trained = train(*case, watched=name == "with")
            one[name].append(seconds)
            curves[name] = (trained.train_curve, trained.valid_curve)
            if trained.watching:
                one |= {"epochs": len(trained.train_curve), "readings": len(trained.watching.looks)}
                one["share"].append(own / seconds)
        if curves["with"] != curves["without"]:
            raise SystemExit("watching changed the training")
    return one


def train(spec: Any, folder: Path, watched: bool) -> tuple[float, float, Any]:
    """CPU seconds of a race of learning rates and of its winner, those of readings and judging; the winner."""
    import torch

    from losslens.run.loop import train_best
    from losslens.run.prepared import prepared
    from losslens.run.reading import AutoencoderReader
    from losslens.run.trial import _maker, _seed, _sees_counts
    from losslens.run.watching import Watching

    data = prepared(folder, spec.split, spec.transform)
    rows = data.batches(_sees_counts(spec), "cpu")
    index = (torch.from_numpy(data.split.train), torch.from_numpy(data.split.valid))
    make, own, began = _maker(spec, data), [0.0], time.process_time()

    def watch(training: Any) -> Watching:
        start = time.process_time()
        watching = Watching(spec, AutoencoderReader(training))
        own[0] += time.process_time() - start
        watching.read = timed(watching.read, own)
        return watching

    best, _ = train_best(make, spec.training, rows, *index, _seed(spec), None, watch if watched else None)
    if best.watching:
        timed(best.watching.findings, own)()
    return time.process_time() - began, own[0], best


def timed(call: Callable[[], Any], total: list[float]) -> Callable[[], Any]:
    """The same function, adding the CPU seconds that it takes."""

    def run() -> Any:
        start = time.process_time()
        result = call()
        total[0] += time.process_time() - start
        return result

    return run


if __name__ == "__main__":
    main()
