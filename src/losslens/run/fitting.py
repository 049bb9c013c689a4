"""Training of coordinate networks: one loop for every field, which stops and continues at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from pydantic import Field as Option

from losslens.models.coordinates import CoordinateNetwork
from losslens.models.spec import Spec
from losslens.run.checkpoint import State
from losslens.run.fields import Field, Points, Response, evaluate
from losslens.run.spec import Precision

CHUNK = 4096  # points at once: activations stay in the processor's cache, and second derivatives in memory
CHECKPOINT_SECONDS = 20.0
WORTH_THREADS = 2e8  # multiplications for the values at a chunk of points

Watch = Callable[[int, float], None]  # the step that was done, the latest score


class FittingSpec(Spec):
    """How a network is trained on a field: Adam, always with the same rate."""

    learning_rate: float = Option(1e-4, gt=0)
    seed: int = 0
    precision: Precision = "fp32"
    device: str = "cpu"


class Fitting:
    """A network on its way: its optimiser, the generator of its points, and its scores so far."""

    def __init__(self, field: Field, network: CoordinateNetwork, spec: FittingSpec) -> None:
        self.field, self.spec = field, spec
        self.network = network.to(spec.device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), spec.learning_rate, fused=True)
        self.generator = torch.Generator().manual_seed(spec.seed)
        self.step, self.seconds, self.diverged = 0, 0.0, ""
        self.curve: list[tuple[int, float]] = []

    @property
    def score(self) -> float:
        """The latest reading of the yardstick."""
        return self.curve[-1][1]

    def run(self, steps: int, watch: Watch | None = None, checkpoint: Path | None = None) -> None:
        """Train up to step ``steps``, or until a loss is not finite; a file keeps the state now and then."""
        with few_threads(self):
            self._run(steps, watch, checkpoint)

    def _run(self, steps: int, watch: Watch | None, checkpoint: Path | None) -> None:
        saved = time.perf_counter()
        self.curve = [reading for reading in self.curve if is_recorded(reading[0])] or [self.read()]
        while self.step < steps and not self.diverged:
            loss = self.backward(self.field.sample(self.generator))
            if self.field.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.field.clip)
            self.optimiser.step()
            self.step += 1
            if not math.isfinite(loss):
                self.diverged = f"the loss was not finite at step {self.step}"
            elif is_recorded(self.step):
                self.curve.append(self.read())
            if watch:
                watch(self.step, self.score)
            if checkpoint and (now := time.perf_counter()) - saved > CHECKPOINT_SECONDS:
                self.seconds, saved = self.seconds + now - saved, now
                save_state(self, checkpoint)
        if self.curve[-1][0] < self.step and not self.diverged:
            self.curve.append(self.read())
        self.seconds += time.perf_counter() - saved
        if checkpoint:
            save_state(self, checkpoint)

    def backward(self, points: Points) -> float:
        """Leave the gradient of the objective in the parameters, chunk by chunk, and return its value."""
        self.optimiser.zero_grad()
        total = 0.0
        for part in points.to(self.spec.device).chunks(CHUNK):
            with torch.autocast(self.spec.device, torch.bfloat16, enabled=self.spec.precision == "bf16"):
                response = Response(self.network, part.coordinates, self.field.order)
                terms = [term.weight * term.values(response, part.known).mean() for term in self.field.terms]
            loss = torch.stack(terms).sum() * (len(part) / len(points))
            torch.autograd.backward(loss)
            total += float(loss.detach())
        return total

    def read(self) -> tuple[int, float]:
        """The step and the yardstick's reading of the network as it is."""
        return self.step, self.field.yardstick.measure(lambda coordinates: evaluate(self.network, coordinates))


@contextmanager
def few_threads(fitting: Fitting) -> Iterator[None]:
    """One thread where a step is so little work that threads would only wait for each other."""
    parameters = sum(parameter.numel() for parameter in fitting.network.parameters())
    before = torch.get_num_threads()
    torch.set_num_threads(1 if CHUNK * parameters < WORTH_THREADS else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_recorded(step: int) -> bool:
    """Every fifth step to 100, then the steps of two significant digits: the same however long a run is.

    >>> from losslens.run.fitting import is_recorded
    >>> [step for step in range(91, 130) if is_recorded(step)]
    [95, 100, 110, 120]
    """
    return step % max(5, int(10 ** (len(str(step)) - 2))) == 0


def save_state(fitting: Fitting, path: Path) -> None:
    """Write everything that the next steps depend on to one file, at once."""
    about = {"step": fitting.step, "seconds": fitting.seconds, "diverged": fitting.diverged, "curve": fitting.curve}
    _state(fitting).save(path, about)


def load_state(fitting: Fitting, path: Path) -> bool:
    """Continue from a file of the same field, network and settings; whether there was one that could be read."""
    about = _state(fitting).load(path)
    if about is None:
        return False
    fitting.step, fitting.seconds, fitting.diverged = about["step"], about["seconds"], about["diverged"]
    fitting.curve = [(step, score) for step, score in about["curve"]]
    return True


def _state(fitting: Fitting) -> State:
    field, network = fitting.field, fitting.network
    identity = f"{field.content} {network.spec.model_dump_json()} {fitting.spec.model_dump_json()}"
    return State(identity, {"network": network}, fitting.optimiser, {"points": fitting.generator})
