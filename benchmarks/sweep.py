"""A comparison of 36 trainings on all cores: losslens's resident processes against one careful PyTorch script.

Four losses, three learning rates, three repeats, the same network, epochs and batch for all. The script is what
one writes who knows PyTorch: the data in one tensor, batches by index, no DataLoader, no needless waiting,
PyTorch's own threads. Training and validation are counted for both; for losslens also everything else that a
comparison does (starting its processes, measuring the held-out part).

    python benchmarks/sweep.py --json benchmarks/results/sweep.json
    python benchmarks/sweep.py --script-adam fused
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from _peers import versions
from _timing import Worker, in_turn, machine, pairwise_ratios, save, say, spread, table

LOSSES, RATES, REPEATS = ("mse", "mae", "huber", "cosine"), (3e-4, 1e-3, 3e-3), 3
SIDES = ("losslens", "script")


@dataclass(frozen=True)
class Sweep:
    """All that decides what is trained."""

    folder: str
    epochs: int
    batch: int
    workers: int
    script_threads: int
    script_adam: str
    losses: tuple[str, ...]
    rates: tuple[float, ...]
    repeats: int


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    options = parse(arguments)
    if options.side:
        SIDE[options.side](Sweep(**json.loads(options.settings)))
        return {}
    with tempfile.TemporaryDirectory() as folder:
        sweep = prepare(Path(folder), options)
        result = measure(sweep, options.rounds)
    shown = {k: v for k, v in asdict(sweep).items() if k != "folder"}
    result |= {"settings": shown, "machine": machine(), "versions": versions()}
    print(text(result))
    save(result, options.json)
    return result


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs everything")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2, help="processes of losslens")
    parser.add_argument("--script-threads", type=int, default=2)
    parser.add_argument("--script-adam", choices=["default", "foreach", "fused"], default="default")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument("--quick", action="store_true", help="two trainings of one epoch, one round: does it run?")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--settings", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def prepare(folder: Path, options: argparse.Namespace) -> Sweep:
    """Write the data and every repeat's split and transform, which both sides find ready."""
    from losslens.data.readers import read
    from losslens.run.prepared import DataFolder
    from losslens.run.spec import SplitSpec, TransformSpec

    data = DataFolder.write(read("pancreas"), folder)
    losses, rates, repeats = (("mse", "cosine"), (1e-3,), 1) if options.quick else (LOSSES, RATES, REPEATS)
    for repeat in range(repeats):
        data.prepare(SplitSpec(repeat=repeat), TransformSpec(name="library_log"))
    epochs, options.rounds = (1, 1) if options.quick else (options.epochs, options.rounds)
    names = ("batch", "workers", "script_threads", "script_adam")
    asked = {name: getattr(options, name) for name in names}
    return Sweep(folder=str(data.folder), epochs=epochs, losses=losses, rates=rates, repeats=repeats, **asked)


def measure(sweep: Sweep, rounds: int) -> dict[str, Any]:
    """Each side in a fresh process, in turn."""
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for turn in range(rounds):
        for side in in_turn(SIDES, turn):
            script = str(Path(__file__).resolve())
            command = [sys.executable, script, "--side", side, "--settings", json.dumps(asdict(sweep))]
            worker = Worker(side, command)
            worker.wait_ready()
            worker.close()
            runs[side].append(worker.ready)
            took = [f"{worker.ready[what]:.1f} s {what}" for what in ("training", "all")]
            say(f"round {turn + 1}/{rounds} {side}: {', '.join(took)}")
    return {"runs": runs}


def losslens_side(sweep: Sweep) -> None:
    """All trials through losslens's executor; prints what they took."""
    from losslens.run.executors import LocalProcesses
    from losslens.run.spec import TrialResult

    began = time.perf_counter()
    done = LocalProcesses(sweep.workers).run(trials(sweep), Path(sweep.folder), lambda: True)
    results: list[TrialResult] = []
    for finished in done:
        results.append(finished.result)
        say(f"losslens: {len(results)} trials, {time.perf_counter() - began:.1f} s so far")
    wall = time.perf_counter() - began
    training = sum(fit.seconds for result in results for fit in result.fits) / sweep.workers
    reached: dict[str, list[float]] = {}
    for result in results:
        assert result.spec.objective
        reached.setdefault(result.spec.objective.loss, []).append(result.fits[0].valid[-1])
    answer(training, wall, reached)


def trials(sweep: Sweep) -> list[Any]:
    """One trial for each repeat, loss and learning rate, without early stopping."""
    from losslens.models.spec import ModelSpec, ObjectiveSpec
    from losslens.run.spec import SplitSpec, TrainingSpec, TransformSpec, TrialSpec

    return [
        TrialSpec(
            data=Path(sweep.folder).name,
            transform=TransformSpec(name="library_log"),
            split=SplitSpec(repeat=repeat),
            model=ModelSpec(),
            objective=ObjectiveSpec(loss=loss),
            training=TrainingSpec(learning_rates=(lr,), batch=sweep.batch, epochs=sweep.epochs, patience=sweep.epochs),
        )
        for repeat, loss, lr in product(range(sweep.repeats), sweep.losses, sweep.rates)
    ]


def script_side(sweep: Sweep) -> None:
    """The careful script: one process, PyTorch's threads, one training after the other; prints what they took."""
    import torch

    from losslens.run.prepared import DataFolder
    from losslens.run.spec import SplitSpec, TransformSpec

    torch.set_num_threads(sweep.script_threads)
    data = DataFolder(Path(sweep.folder))
    transform = TransformSpec(name="library_log")
    prepared = [data.prepare(SplitSpec(repeat=repeat), transform) for repeat in range(sweep.repeats)]
    reached: dict[str, list[float]] = {}
    train_one(sweep, prepared[0], sweep.losses[0], 1e-3, epochs=1)  # first use sets things up: not counted
    began = time.perf_counter()
    for each, loss, lr in product(prepared, sweep.losses, sweep.rates):
        reached.setdefault(loss, []).append(train_one(sweep, each, loss, lr, sweep.epochs))
        say(f"script: {loss} at {lr:g}, {time.perf_counter() - began:.1f} s so far")
    seconds = time.perf_counter() - began
    answer(seconds, seconds, reached)


def train_one(sweep: Sweep, prepared: Any, loss: str, lr: float, epochs: int) -> float:
    """The training as one would write it with care; returns the last validation loss."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    x, valid = (prepared.profiles(torch.from_numpy(part)) for part in (prepared.split.train, prepared.split.valid))
    mean, width = x.mean(0), x.shape[1]
    encoder = nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, 32)
    decoder = nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, width)
    model, criterion = nn.Sequential(*encoder, *decoder), torch_losses()[loss]
    with torch.no_grad():
        model[-1].bias.copy_(mean)
    flags = {} if sweep.script_adam == "default" else {sweep.script_adam: True}
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, **flags)
    centred, centred_valid = x - mean, valid - mean
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(sweep.batch):
            optimizer.zero_grad(set_to_none=True)
            criterion(model(centred[index]), x[index]).backward()
            optimizer.step()
        with torch.no_grad():
            last = criterion(model(centred_valid), valid).item()
    return last


def torch_losses() -> dict[str, Any]:
    """The four losses by PyTorch's own functions."""
    from torch.nn import functional as f

    return {
        "mse": f.mse_loss,
        "mae": f.l1_loss,
        "huber": f.huber_loss,
        "cosine": lambda output, target: (1 - f.cosine_similarity(output, target)).mean(),
    }


SIDE = {"losslens": losslens_side, "script": script_side}


def answer(training: float, everything: float, reached: dict[str, list[float]]) -> None:
    """One line of JSON for the driver: seconds, and the mean validation loss reached under each loss."""
    means = {loss: statistics.mean(values) for loss, values in reached.items()}
    print(json.dumps({"training": training, "all": everything, "valid": means}), flush=True)


def text(result: dict[str, Any]) -> str:
    """The result for people."""
    settings, runs = result["settings"], result["runs"]
    count = len(settings["losses"]) * len(settings["rates"]) * settings["repeats"]
    seconds = {(side, what): [run[what] for run in runs[side]] for side in SIDES for what in ("training", "all")}
    script = seconds["script", "training"]
    rows = [["script", "training and validation", spread(script), "1"]]
    for what, name in (("training", "training and validation"), ("all", "with process start, measuring and the rest")):
        ours = seconds["losslens", what]
        rows.append(["losslens", name, spread(ours), spread(pairwise_ratios(script, ours))])
    machine, versions = result["machine"], ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    lines = [
        f"{count} trainings of 1000-256-32-256-1000 on pancreas: {settings['epochs']} epochs,"
        f" batch {settings['batch']}, fp32.",
        f"losslens: {settings['workers']} processes with one thread; script: one process with"
        f" {settings['script_threads']} threads, {settings['script_adam']} Adam."
        f" {len(script)} rounds in turn; median (min..max) of wall seconds.",
        f"{machine['processor']}, {machine['cores']} cores; load at the end {machine['load']}. {versions}.",
        "",
        table(["", "what is counted", "wall s", "script over losslens"], rows),
        "",
        table(["last validation loss, mean", *SIDES], [row(loss, runs) for loss in settings["losses"]]),
    ]
    return "\n".join(lines)


def row(loss: str, runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What both sides reached under a loss."""
    return [loss, *(f"{statistics.median(run['valid'][loss] for run in runs[side]):.4f}" for side in SIDES)]


if __name__ == "__main__":
    main()
