"""A held-out cosine stuck at about 0.4: planted mistakes, what the verdicts say of them, and what following them gains.

The bundled counts of the pancreas, log-normalised by library size and standardised gene by gene with the mean and the
deviation of the training part, go through 1000-256-32-256-1000 with ReLU, mean squared error and Adam, in the loop that
one writes by hand. Each mistake is planted in that loop, ``losslens.Watch`` reads it, and then nobody thinks: the first
finding whose remedy such a loop can follow is followed, and the network is trained again, until no such finding is left
or four remedies have been tried. Gains are paired by split; intervals of 95 % are corrected for splits that share
samples. PCA of the same code size and the mean profile stand beside.

    python benchmarks/stuck_at_04.py --json benchmarks/results/stuck-at-04.json
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import torch
from torch import Tensor, nn

import losslens
from _comparing import TEST_SHARE, Beside, beside, parser, report
from _timing import save, say
from losslens.measure.evidence import Evidence
from losslens.measure.findings import Finding
from losslens.measure.reconstruction import cosine, pearson, r2
from losslens.report.statistics import corrected_interval

HIDDEN, CODE, BATCH = 256, 32, 32
MOST = 4  # remedies in turn
ENDS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


@dataclass(frozen=True)
class Setup:
    """How one training is written; the healthy one if nothing is said."""

    lr: float = 1e-3
    first: float | None = None  # the rate of the first epoch, if it is another
    output: str = "linear"
    hidden: str = "relu"
    bias: float | None = None  # of the first hidden layer at the start
    loss: str = "mse"
    keep: str = "last"  # the weights that are kept: of the last epoch, or of the best


@dataclass(frozen=True)
class Mistake:
    """A planted mistake, and the diagnostic that should name it."""

    setup: Setup
    meant: str = ""


MISTAKES = {
    "none": Mistake(Setup()),
    "learning rate far too low (1e-5)": Mistake(Setup(lr=1e-5), "learning_rate_too_low"),
    "learning rate too low (3e-5)": Mistake(Setup(lr=3e-5), "learning_rate_too_low"),
    "learning rate too high (1e-2)": Mistake(Setup(lr=1e-2), "learning_rate_too_high"),
    "learning rate far too high (0.1)": Mistake(Setup(lr=0.1), "learning_rate_too_high"),
    "sigmoid output": Mistake(Setup(output="sigmoid"), "narrow_output"),
    "tanh output": Mistake(Setup(output="tanh"), "narrow_output"),
    "first biases at -3": Mistake(Setup(bias=-3.0), "dead_units"),
    "first epoch at a rate of 0.1": Mistake(Setup(first=0.1), "dead_units"),
    "none, cosine as the loss": Mistake(Setup(loss="cosine")),
}


def _times(factor: float) -> Callable[[Setup], Setup]:
    """The rates of all epochs times a factor."""

    def change(setup: Setup) -> Setup:
        first = None if setup.first is None else factor * setup.first
        return replace(setup, lr=factor * setup.lr, first=first)

    return change


REMEDIES: dict[str, Callable[[Setup], Setup]] = {  # what the remedy's words mean in this loop
    "learning_rate_too_low": _times(5.0),
    "learning_rate_too_high": _times(0.2),
    "dead_units": lambda setup: replace(setup, hidden="leaky_relu"),
    "narrow_output": lambda setup: replace(setup, output="linear"),
    "saturated_units": lambda setup: replace(setup, output="linear"),
    "over_fitting": lambda setup: replace(setup, keep="best"),
}


@dataclass(frozen=True)
class Parts:
    """One split: standardised profiles, and what takes them back to log counts."""

    train: Tensor
    valid: Tensor
    test: Tensor
    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, profiles: Any, repeat: int) -> Parts:
        """The parts of a split of profiles of counts, (samples, genes)."""
        from losslens.data.splits import split
        from losslens.data.transforms import fit_transform_named

        values = profiles.values
        rows = split(values.shape[0], profiles.labels, profiles.groups, repeat=repeat, seed=0)
        logs = fit_transform_named("library_log", values[rows.train]).apply(values)
        dense = torch.from_numpy(logs.toarray() if hasattr(logs, "toarray") else np.asarray(logs)).float()
        scale, mean = torch.std_mean(dense[rows.train], 0, correction=0)
        scale[scale == 0] = 1.0
        ours = (dense - mean) / scale
        return cls(ours[rows.train], ours[rows.valid], ours[rows.test], mean, scale)

    def scores(self, prediction: Tensor) -> dict[str, float]:
        """Held-out cosine, Pearson and R2 as standardised, and the cosine of the same on the scale of log counts."""
        here = Evidence(self.test.numpy(), prediction.numpy(), np.zeros(len(self.mean)))
        logs = ((part * self.scale + self.mean).numpy() for part in (self.test, prediction))
        there = Evidence(*logs, self.mean.numpy())
        found = {"cosine": cosine(here), "pearson": pearson(here), "r2": r2(here), "cosine of logs": cosine(there)}
        return {name: float(value or 0.0) for name, value in found.items()}


def network(setup: Setup, features: int) -> nn.Sequential:
    """The autoencoder, with what is planted in it."""
    hidden = nn.LeakyReLU if setup.hidden == "leaky_relu" else nn.ReLU
    layers = [nn.Linear(features, HIDDEN), hidden(), nn.Linear(HIDDEN, CODE)]
    layers += [nn.Linear(CODE, HIDDEN), hidden(), nn.Linear(HIDDEN, features)]
    if setup.bias is not None:
        nn.init.constant_(layers[0].bias, setup.bias)
    return nn.Sequential(*layers, *([ENDS[setup.output]()] if setup.output in ENDS else []))


def loss_of(setup: Setup, output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error, or one minus the cosine."""
    if setup.loss == "mse":
        return nn.functional.mse_loss(output, target)
    return 1.0 - nn.functional.cosine_similarity(output, target).mean()


def trained(setup: Setup, parts: Parts, epochs: int, seed: int) -> tuple[dict[str, float], tuple[Finding, ...]]:
    """One training as one writes it: the scores of its held-out part, and what it was found to suffer from."""
    torch.manual_seed(seed)
    model = network(setup, parts.train.shape[1])
    optimiser = torch.optim.Adam(model.parameters(), lr=setup.lr, fused=True)
    watch, probe = losslens.Watch(model, lr=setup.lr, adaptive=True), parts.valid[:64]
    best, kept = float("inf"), {}
    for epoch in range(epochs + 1):
        _set_rate(optimiser, setup.first if epoch == 1 and setup.first else setup.lr)
        train_loss = _epoch(model, optimiser, setup, parts.train) if epoch else _loss(model, setup, parts.train)
        valid_loss = _loss(model, setup, parts.valid)
        losses = {"train_loss": train_loss, "valid_loss": valid_loss}
        if epoch % 3 == 0 or epoch == epochs:
            with torch.no_grad():
                losses |= {"output": model(probe), "target": probe}
            watch.read(epoch, loss=lambda: loss_of(setup, model(probe), probe), **losses)
        else:
            watch.read(epoch, **losses)
        if setup.keep == "best" and valid_loss < best:
            best, kept = valid_loss, {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept or model.state_dict())
    with torch.no_grad():
        return parts.scores(model(parts.test)), watch.findings()


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _epoch(model: nn.Module, optimiser: torch.optim.Optimizer, setup: Setup, rows: Tensor) -> float:
    total = 0.0
    for index in torch.randperm(len(rows)).split(BATCH):
        loss = loss_of(setup, model(rows[index]), rows[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(index)
    return total / len(rows)


@torch.no_grad()
def _loss(model: nn.Module, setup: Setup, rows: Tensor) -> float:
    return loss_of(setup, model(rows), rows).item()


def advised(setup: Setup, findings: Sequence[Finding]) -> tuple[str, Setup] | None:
    """The first finding whose remedy changes something in this loop, and the loop with it."""
    for found in findings:
        if found.verdict != "fine" and found.name in REMEDIES:
            changed = REMEDIES[found.name](setup)
            if changed != setup:
                return found.name, changed
    return None


def followed(setup: Setup, parts: Parts, epochs: int, seed: int, most: int = MOST) -> dict[str, Any]:
    """Train, follow what is advised, train again: every training with its scores and findings."""
    rounds, names = [], []
    while True:
        scores, findings = trained(setup, parts, epochs, seed)
        said = [found.model_dump(mode="json") for found in findings if found.verdict != "fine"]
        rounds.append({"setup": asdict(setup), "scores": scores, "findings": said})
        step = advised(setup, findings) if len(names) < most else None
        if step is None:
            return {"rounds": rounds, "followed": names}
        name, setup = step
        names.append(name)


def baselines(parts: Parts, seed: int) -> dict[str, dict[str, float]]:
    """PCA of the same code size, and the mean profile."""
    from sklearn.decomposition import PCA

    axes = PCA(CODE, svd_solver="randomized", random_state=seed).fit(parts.train.numpy())
    back = axes.inverse_transform(axes.transform(parts.test.numpy()))
    nothing = torch.zeros_like(parts.test)
    return {f"PCA of {CODE}": parts.scores(torch.from_numpy(back).float()), "mean profile": parts.scores(nothing)}


def said(splits: Sequence[dict[str, Any]]) -> str:
    """The findings of the first trainings: verdict, median value, and in how many splits."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in splits:
        for each in one["rounds"][0]["findings"]:
            found.setdefault((each["verdict"], each["name"]), []).append(each["value"])
    told = [
        f"{verdict} {name} {median(values):.3g} ({len(values)} of {len(splits)})"
        for (verdict, name), values in sorted(found.items(), key=lambda item: item[0][0])
    ]
    return "; ".join(told) or "nothing"


def named(splits: Sequence[dict[str, Any]], meant: str) -> str:
    """In how many splits the diagnostic that is meant spoke, and in how many it was the first to be followed."""
    if not meant:
        return ""
    spoke = sum(any(each["name"] == meant for each in one["rounds"][0]["findings"]) for one in splits)
    first = sum(one["followed"][:1] == [meant] for one in splits)
    return f"{meant}: {spoke}, first {first}, of {len(splits)}"


def remedies(splits: Sequence[dict[str, Any]]) -> str:
    """What was followed, in turn, and how often."""
    counted = Counter(", ".join(one["followed"]) or "nothing" for one in splits)
    return "; ".join(f"{names} ({times})" for names, times in counted.most_common())


def interval(scores: Sequence[float]) -> str:
    """Mean and interval over splits."""
    found = corrected_interval(scores, TEST_SHARE)
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def column(splits: Sequence[dict[str, Any]], score: str, at: int) -> list[float]:
    """A score of the first (0) or the last (-1) training, by split."""
    return [one["rounds"][at]["scores"][score] for one in splits]


def row(name: str, splits: Sequence[dict[str, Any]]) -> list[str]:
    """One mistake, as it is printed."""
    before, after = (column(splits, "cosine", at) for at in (0, -1))
    gain = beside(after, before) if any(one["followed"] for one in splits) else None
    others = [f"{fmean(column(splits, score, 0)):.3f}" for score in ("pearson", "r2", "cosine of logs")]
    told = [said(splits), named(splits, MISTAKES[name].meant), remedies(splits)]
    return [name, interval(before), *others, *told, interval(after), str(gain or "")]


def row_of_baseline(name: str, scores: Sequence[dict[str, float]]) -> list[str]:
    """A baseline, as it is printed."""
    others = [f"{fmean(one[score] for one in scores):.3f}" for score in ("pearson", "r2", "cosine of logs")]
    return [name, interval([one["cosine"] for one in scores]), *others, *[""] * 5]


def leads(found: dict[str, list[dict[str, Any]]], pca: Sequence[float]) -> dict[str, Beside]:
    """What is asked beside the table, in held-out cosine."""
    healthy, by_cosine = (column(found[name], "cosine", 0) for name in ("none", "none, cosine as the loss"))
    return {
        "cosine as the loss over mean squared error": beside(by_cosine, healthy),
        "none over PCA": beside(healthy, pca),
    }


def one_split(profiles: Any, repeat: int, epochs: int, most: int, kept: Path) -> dict[str, Any]:
    """Baselines and all mistakes on one split; kept in a file, so that the script goes on where it was stopped."""
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    parts, mistakes = Parts.of(profiles, repeat), {}
    for name, mistake in MISTAKES.items():
        mistakes[name] = one = followed(mistake.setup, parts, epochs, repeat, most)
        say(f"split {repeat}, {name}: {column([one], 'cosine', 0)[0]:.3f}, {one['followed']}")
    found = {"mistakes": mistakes, "baselines": baselines(parts, repeat)}
    save(found, kept)
    return found


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    from losslens.data.readers import read

    options = parser(__doc__ or "")
    options.add_argument("--epochs", type=int, default=12, help="of each training")
    asked = options.parse_args(arguments)
    epochs, repeats, most = (2, 2, 1) if asked.quick else (asked.epochs, asked.repeats, MOST)
    torch.set_num_threads(1)
    folder, profiles = asked.folder / "stuck-at-04" / f"{epochs}-{most}", read("pancreas")
    splits = [one_split(profiles, at, epochs, most, folder / f"{at}.json") for at in range(repeats)]
    found = {name: [one["mistakes"][name] for one in splits] for name in MISTAKES}
    others = {name: [one["baselines"][name] for one in splits] for name in splits[0]["baselines"]}
    head = ["mistake", "held-out cosine", "Pearson", "R2", "cosine of logs", "what the verdicts said", "meant",
            "remedies followed (splits)", "cosine after", "gain"]  # fmt: skip
    rows = [row(name, each) for name, each in found.items()]
    rows += [row_of_baseline(name, each) for name, each in others.items()]
    also = leads(found, [one["cosine"] for one in others[f"PCA of {CODE}"]])
    result = {"mistakes": found, "baselines": others, "leads": {name: vars(lead) for name, lead in also.items()}}
    report(f"Planted mistakes, {epochs} epochs, {repeats} splits", head, rows, asked.json, result)
    print("", *(f"Held-out cosine, {name}: {lead}." for name, lead in also.items()), sep="\n")
    return result


if __name__ == "__main__":
    main()
