"""A/A: one objective under five names, many times over. Whoever wins here wins by chance.

    python benchmarks/aa_experiment.py --json tests/data/aa_scores.json

Each comparison draws its own data and splits. Its five names are the same mse autoencoder; they share the splits
and differ in nothing but the seed of the initial weights and of the data order. All held-out scores of the yardstick
that decides are kept, so that the test suite can put any decision rule before them: an honest one declares a sole
winner in at most 5 % of the comparisons.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from losslens.data.synthetic import gaussian_noise
from losslens.models.spec import ModelSpec, ObjectiveSpec
from losslens.report.decision import Decision, decide
from losslens.run.executors import cores
from losslens.run.prepared import DataFolder, prepared
from losslens.run.spec import SplitSpec, TrainingSpec, TransformSpec, TrialSpec
from losslens.run.trial import run_trial

Scores = list[list[float]]  # name, repeat -> held-out score


@dataclass(frozen=True)
class Settings:
    """What made the scores. Repeats are numbered from 1, since repeat 0 also draws the report's pictures."""

    comparisons: int = 240
    names: int = 5
    repeats: int = 5
    loss: str = "mse"
    yardstick: str = "r2"
    samples: int = 150
    features: int = 20
    hidden: tuple[int, ...] = (16,)
    code: int = 4
    epochs: int = 15
    batch: int = 32
    lr: float = 3e-3
    digits: int = 6
    test_share: float = 30 / 96


def one_comparison(settings: Settings, number: int) -> Scores:
    """Train every name on every split of data drawn for this comparison alone."""
    drawn = gaussian_noise(settings.samples, settings.features, settings.code, noise=1.0, seed=number)
    profiles = replace(drawn, labels=None)
    with tempfile.TemporaryDirectory() as scratch:
        folder = DataFolder.write(profiles, Path(scratch)).folder
        first = TrialSpec(
            data=profiles.content_hash,
            transform=TransformSpec(name="none"),
            split=SplitSpec(repeat=1, seed=number),
            model=ModelSpec(hidden=settings.hidden, code=settings.code),
            objective=ObjectiveSpec(loss=settings.loss),
            training=TrainingSpec(
                learning_rates=(settings.lr,), batch=settings.batch, epochs=settings.epochs, patience=settings.epochs
            ),
        )
        _check_share(settings, folder, first)
        return [
            [_score(settings, folder, first, seed, repeat) for repeat in range(1, settings.repeats + 1)]
            for seed in range(number * settings.names, (number + 1) * settings.names)
        ]


def _score(settings: Settings, folder: Path, first: TrialSpec, seed: int, repeat: int) -> float:
    split = first.split.model_copy(update={"repeat": repeat})
    result = run_trial(first.model_copy(update={"split": split, "seed": seed}), folder).result
    score = result.metrics[settings.yardstick]
    assert score is not None
    return float(f"{score:.{settings.digits}g}")


def _check_share(settings: Settings, folder: Path, first: TrialSpec) -> None:
    parts = prepared(folder, first.split, first.transform).split
    assert len(parts.test) / len(parts.train) == settings.test_share


def judged(scores: Scores, settings: Settings) -> Decision:
    """The decision on one comparison, by the very code that judges a user's."""
    names = {f"name {number}": dict(enumerate(own)) for number, own in enumerate(scores)}
    decision = decide(names, higher_is_better=True, test_share=settings.test_share, simplest_first=list(names))
    assert decision is not None
    return decision


@dataclass(frozen=True)
class Tally:
    """How often chance was taken for a difference."""

    comparisons: int
    sole_winners: int
    any_told_apart: int

    def __str__(self) -> str:
        sole, apart = (100 * count / self.comparisons for count in (self.sole_winners, self.any_told_apart))
        return f"{self.comparisons} comparisons: a sole winner in {sole:.1f} %, any name called worse in {apart:.1f} %"


def tally(comparisons: Iterable[Scores], settings: Settings) -> Tally:
    """Judge all comparisons and count the false verdicts."""
    decisions = [judged(scores, settings) for scores in comparisons]
    apart = sum(len(decision.tied) < len(decision.judged) for decision in decisions)
    return Tally(len(decisions), sum(decision.sole_winner for decision in decisions), apart)


def pairs(comparisons: Iterable[Scores]) -> list[Scores]:
    """Two-name comparisons out of disjoint pairs of names, so that none shares a training with another."""
    return [scores[start : start + 2] for scores in comparisons for start in range(0, len(scores) - 1, 2)]


def all_pairs(comparisons: Iterable[Scores]) -> list[Scores]:
    """Every pair of names: more of them, not independent of one another."""
    return [list(pair) for scores in comparisons for pair in combinations(scores, 2)]


def run(settings: Settings, workers: int) -> list[Scores]:
    """All comparisons, spread over processes."""
    from loky import ProcessPoolExecutor

    with ProcessPoolExecutor(workers, env={"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}) as pool:
        return list(pool.map(one_comparison, [settings] * settings.comparisons, range(settings.comparisons)))


def load(path: Path) -> tuple[Settings, list[Scores]]:
    """Recorded scores with the settings that made them."""
    record = json.loads(path.read_text(encoding="utf-8"))
    settings = record["settings"]
    return Settings(**settings | {"hidden": tuple(settings["hidden"])}), record["scores"]


def save(path: Path, settings: Settings, comparisons: list[Scores]) -> None:
    """One line for each comparison: five names of five repeats."""
    rows = ",\n".join(json.dumps(scores, separators=(",", ":")) for scores in comparisons)
    made: dict[str, Any] = {"made_by": "benchmarks/aa_experiment.py", **_versions()}
    head = json.dumps({"made": made, "settings": asdict(settings)})[:-1]
    path.write_text(f'{head},\n"scores": [\n{rows}\n]}}\n', encoding="utf-8")


def _versions() -> dict[str, str]:
    import numpy as np
    import torch

    import losslens

    return {"losslens": losslens.__version__, "torch": torch.__version__, "numpy": np.__version__}


def main() -> None:
    """Run, print the shares, record the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=Settings.comparisons)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--json", type=Path, help="where to record the scores")
    given = parser.parse_args()
    settings = Settings(comparisons=given.comparisons)
    comparisons = run(settings, given.workers)
    print("five names:", tally(comparisons, settings))
    print("two names, disjoint pairs:", tally(pairs(comparisons), settings))
    print("two names, all pairs:", tally(all_pairs(comparisons), settings))
    if given.json:
        save(given.json, settings, comparisons)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
