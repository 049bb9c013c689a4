"""What live verdicts cost: the same trainings with and without readings, in turn, on one core.

Each round trains the default network on the bundled pancreas data and on small dense data, and a self-supervised
method on either, once as it is in a comparison (readings on a schedule, judged at the end) and once without; CPU
seconds are compared round by round. The curves of both must be equal to the last digit.

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

TRIED = {"pancreas": ("mse", "cosine", "poisson", "simclr", "byol"), "dense": ("mse", "cosine", "simclr")}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    import torch

    options = parse(arguments)
    torch.set_num_threads(1)
    cases, results = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for data, tried in TRIED.items():
            cases |= {f"{data}, {name}": case for name, case in prepare(data, tried, Path(folder) / data, options)}
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


def prepare(data: str, tried: tuple[str, ...], folder: Path, options: argparse.Namespace) -> list[tuple[str, Any]]:
    """The trials of the first repeat of a comparison, with what a worker would make of the data."""
    from losslens.data.gate import look
    from losslens.data.readers import read
    from losslens.losses import LOSSES
    from losslens.models.spec import ModelSpec
    from losslens.run.composition import Shared
    from losslens.run.methods import Methods
    from losslens.run.plan import plan
    from losslens.run.prepared import DataFolder
    from losslens.run.spec import TrainingSpec

    profiles = read(data if data == "pancreas" else dense())
    shared = Shared(ModelSpec(), TrainingSpec(epochs=options.epochs))
    seen, content = look(profiles, None), profiles.content_hash
    losses = [name for name in tried if name in LOSSES]
    names = tuple(name for name in tried if name not in LOSSES)
    methods = Methods(names, profiles.shape[0], epochs=options.epochs)
    planned = plan(
        seen, shared, content_hash=content, losses=losses, models=(), repeats=1, seed=0, methods=methods
    )  # fmt: skip
    where = DataFolder.write(profiles, folder).folder
    own = {each.method.name if each.method else each.objective and each.objective.loss: each for each in planned.trials}
    return [(name, (own[name], where)) for name in tried]


def dense() -> np.ndarray:
    """1,797 samples of 64 features on 10 hidden ones: the size of handwritten digits."""
    chance = np.random.default_rng(0)
    return chance.normal(size=(1797, 10)) @ chance.normal(size=(10, 64)) + chance.normal(size=(1797, 64))


def measure(case: Any, repeats: int) -> dict[str, Any]:
    spec, folder = case
    train = autoencoder if spec.method is None else method
    one: dict[str, Any] = {"with": [], "without": [], "share": []}
    for repeat in range(repeats):
        curves = {}
        for name in in_turn(("with", "without"), repeat):
            clock = Clock(spec)
            began = time.process_time()
            curves[name] = train(spec, folder, clock if name == "with" else None)
            one[name].append(time.process_time() - began)
            if name == "with":
                one |= {"epochs": len(curves[name][0]), "readings": len(clock.watching.looks)}
                one["share"].append(clock.seconds / one[name][-1])
        if curves["with"] != curves["without"]:
            raise SystemExit("watching changed the training")
    return one


class Clock:
    """Makes the watching of a training, and adds up the CPU seconds of its readings and its judging."""

    def __init__(self, spec: Any) -> None:
        self.spec, self.seconds, self.watching = spec, 0.0, None

    def watch(self, reader: Any) -> Any:
        """A watching whose readings are counted."""
        from losslens.run.watching import Watching

        self.watching = watching = self.timed(Watching)(self.spec, reader)
        watching.read = self.timed(watching.read)
        return watching

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, adding the CPU seconds that it takes."""

        def run(*arguments: Any) -> Any:
            start = time.process_time()
            result = call(*arguments)
            self.seconds += time.process_time() - start
            return result

        return run


def autoencoder(spec: Any, folder: Path, clock: Clock | None) -> tuple[Any, Any]:
    """A race of learning rates and its winner; the winner's curves."""
    import torch

    from losslens.run.loop import train_best
    from losslens.run.prepared import prepared
    from losslens.run.reading import AutoencoderReader
    from losslens.run.trial import _maker, _sees_counts

    data = prepared(folder, spec.split, spec.transform)
    rows = data.batches(_sees_counts(spec), "cpu")
    index = (torch.from_numpy(data.split.train), torch.from_numpy(data.split.valid))
    watch = None if clock is None else lambda training: clock.watch(AutoencoderReader(training))
    best, _ = train_best(_maker(spec, data), spec.training, rows, *index, spec.start_seed, None, watch)
    if best.watching:
        clock.timed(best.watching.findings)()
    return best.train_curve, best.valid_curve


def method(spec: Any, folder: Path, clock: Clock | None) -> tuple[Any, Any]:
    """A self-supervised training; its losses, and the course that both have in any case."""
    from unittest.mock import Mock, patch

    from losslens.run import siamese
    from losslens.run.prepared import prepared

    def watching(spec: Any, reader: Any) -> Any:
        return Mock() if clock is None else clock.watch(reader)

    with patch.object(siamese, "Watching", watching):
        training = siamese.Pretraining(spec, prepared(folder, spec.split, spec.transform), spec.start_seed)
    training.run()
    if clock is not None:
        clock.timed(training.watching.findings)()
    return training.course["loss"][1:], training.course


if __name__ == "__main__":
    main()
