r"""Planted truth: data made so that theory says which loss is right, and how often losslens finds it.

    python benchmarks/planted_experiment.py --runs 100 --scale 2

Every run draws new data and makes a small comparison with losslens's own trials and decision: the same network and
splits for the right and the wrong loss. *Found* counts the runs in which the right loss is the best or tied with it;
since calling everything tied would achieve that, *told apart* counts those in which the wrong loss is called worse.

The four settings, and why their answer is right:

* ``laplace``: real values around a low-rank signal, with Laplace noise of one scale. Held-out nats are a proper score:
  no other density beats the true one in expectation. A normal density of the same variance pays
  :math:`\tfrac12 \log(\pi e) - 1 \approx 0.072` nats a value. The noise is large against the signal, so that what
  the network misses of the signal, which is more like a normal variable, does not hide the shape of the noise.
* ``gaussian``: the same with normal noise; here it is the Laplace density that pays,
  :math:`\tfrac12 + \log(2/\pi) \approx 0.048` nats a value.
* ``direction``: the direction of a profile is a low-rank signal with noise of one size; its magnitude says nothing, and
  6 % of the profiles are ten times as long as the others. Squared error weighs a profile by its squared length: those
  6 % carry 86 % of the weight, and the axes are learned from a few dozen profiles. Cosine weighs all profiles equally,
  which is right where all directions are equally noisy (under von Mises-Fisher noise it is the likelihood). The goal
  is direction, so delta-cosine decides.
* ``counts``: negative-binomial counts with variance :math:`\mu + \mu^2/2` around a mean of 20: eleven times the
  variance of a Poisson distribution, whose nats pay for it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from losslens.data import synthetic
from losslens.data.profiles import Profiles
from losslens.losses import LOSSES
from losslens.models.spec import ModelSpec
from losslens.report.decision import Decision
from losslens.report.rows import Contest, judge
from losslens.run.composition import Candidate, Shared, objective_of
from losslens.run.executors import Serial, cores
from losslens.run.prepared import DataFolder, prepared
from losslens.run.spec import SplitSpec, TrainingSpec, TransformSpec, TrialResult, TrialSpec

SHARE_LONG, TIMES_LONGER = 0.06, 10.0


@dataclass(frozen=True)
class Planted:
    """Data with a right answer, and the size of a comparison that can be expected to find it.

    Repeats are numbered from 1, since repeat 0 also draws the report's pictures.
    """

    name: str
    draw: Callable[[int, int], Profiles]  # samples, seed -> data
    right: str
    wrong: str
    yardstick: str
    samples: int
    batch: int
    code: int
    repeats: int
    lr: float
    epochs: int
    transform: str = "none"

    @property
    def losses(self) -> tuple[str, str]:
        """Both candidates; the wrong one counts as simpler, so that a tie is never resolved in favour of the right."""
        return self.wrong, self.right

    def scaled(self, factor: int) -> Planted:
        """More samples in larger batches, and more repeats."""
        return replace(self, samples=factor * self.samples, batch=factor * self.batch, repeats=factor * self.repeats)

    def trials(self, profiles: Profiles, seed: int) -> list[TrialSpec]:
        """Both losses on every split."""
        training = TrainingSpec(learning_rates=(self.lr,), batch=self.batch, epochs=self.epochs, patience=self.epochs)
        shared = Shared(ModelSpec(hidden=(16,), code=self.code), training)
        return [
            TrialSpec(
                data=profiles.content_hash,
                transform=TransformSpec(name=self.transform),
                split=SplitSpec(repeat=repeat, seed=seed),
                model=shared.model,
                objective=objective_of(Candidate(loss, LOSSES[loss].link or "linear"), shared),
                training=training,
                seed=seed,
            )
            for repeat in range(1, self.repeats + 1)
            for loss in self.losses
        ]


def random_lengths(samples: int, seed: int) -> Profiles:
    """Directions of a low-rank mixture with noise; a few profiles, whichever, are ten times as long as the others."""
    drawn = synthetic.direction_only(samples, features=24, rank=3, noise=0.2, spread=0.0, seed=seed)
    random = np.random.default_rng([seed, 1])
    lengths = np.where(random.random((samples, 1)) < SHARE_LONG, TIMES_LONGER, 1.0)
    values = np.asarray(drawn.values) * lengths
    return replace(drawn, values=(values / values.std()).astype(np.float32))


PLANTED = {
    planted.name: planted
    for planted in (
        Planted(
            "laplace",
            lambda samples, seed: synthetic.laplace_noise(samples, features=24, rank=2, noise=1.5, seed=seed),
            right="laplace",
            wrong="gaussian",
            yardstick="nats_density",
            samples=240,
            batch=32,
            code=2,
            repeats=5,
            lr=1.5e-2,
            epochs=14,
        ),
        Planted(
            "gaussian",
            lambda samples, seed: synthetic.gaussian_noise(samples, features=20, rank=2, noise=1.0, seed=seed),
            right="gaussian",
            wrong="laplace",
            yardstick="nats_density",
            samples=160,
            batch=32,
            code=2,
            repeats=5,
            lr=1.5e-2,
            epochs=12,
        ),
        Planted(
            "direction",
            random_lengths,
            right="cosine",
            wrong="mse",
            yardstick="delta_cosine",
            samples=600,
            batch=96,
            code=3,
            repeats=5,
            lr=2e-2,
            epochs=20,
        ),
        Planted(
            "counts",
            lambda samples, seed: synthetic.negative_binomial_counts(samples, features=16, rank=2, seed=seed),
            right="negative_binomial",
            wrong="poisson",
            yardstick="nats_mass",
            samples=150,
            batch=32,
            code=2,
            repeats=3,
            lr=1.5e-2,
            epochs=14,
            transform="library_log",
        ),
    )
}


def compare_once(planted: Planted, seed: int) -> Decision | None:
    """One comparison on new data, from drawing them to the decision."""
    profiles = replace(planted.draw(planted.samples, seed), labels=None)
    trials = planted.trials(profiles, seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = DataFolder.write(profiles, Path(scratch)).folder
        results: dict[str, dict[int, TrialResult]] = {}
        for finished in Serial().run(trials, folder, lambda: True):
            spec = finished.result.spec
            results.setdefault(spec.key, {})[spec.split.repeat] = finished.result
        parts = prepared(folder, trials[0].split, trials[0].transform).split
        contest = Contest(planted.yardstick, planted.losses, len(parts.test) / len(parts.train))
        return judge(results, contest)


@dataclass(frozen=True)
class Tally:
    """How often the planted answer was found, and how often the wrong loss was called worse."""

    runs: int
    found: int
    told_apart: int

    def __str__(self) -> str:
        return f"right loss best or tied in {self.found} of {self.runs} runs, wrong one worse in {self.told_apart}"


def tally(planted: Planted, decisions: Iterable[Decision | None]) -> Tally:
    """Count; a run in which the right loss diverged counts as not found."""
    judged = [decision.judged if decision else {} for decision in decisions]
    verdicts = [(each[planted.right].verdict if planted.right in each else "diverged", each) for each in judged]
    found = [each for verdict, each in verdicts if verdict in ("best", "tied")]
    apart = sum(planted.wrong in each and each[planted.wrong].verdict == "worse" for each in found)
    return Tally(len(judged), len(found), apart)


def run(planted: Planted, runs: int, workers: int) -> Tally:
    """Many runs, spread over processes."""
    from loky import ProcessPoolExecutor

    with ProcessPoolExecutor(workers, env={"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}) as pool:
        return tally(planted, pool.map(compare_once, [planted] * runs, range(runs)))


def main() -> None:
    """Run every setting and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--scale", type=int, default=1, help="so many times the samples, the batch and the repeats")
    parser.add_argument("--workers", type=int, default=cores())
    given = parser.parse_args()
    heads = ("noise", "right", "wrong", "yardstick", "runs", "found", "told apart", "seconds")
    print("{:<10} {:<18} {:<10} {:<13} {:>4} {:>6} {:>10} {:>7}".format(*heads))
    for planted in (each.scaled(given.scale) for each in PLANTED.values()):
        began = time.perf_counter()
        found = run(planted, given.runs, given.workers)
        names = f"{planted.name:<10} {planted.right:<18} {planted.wrong:<10} {planted.yardstick:<13}"
        shares = f"{found.found / found.runs:>6.0%} {found.told_apart / found.runs:>10.0%}"
        print(f"{names} {found.runs:>4} {shares} {time.perf_counter() - began:>7.0f}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
