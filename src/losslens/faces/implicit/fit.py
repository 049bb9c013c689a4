"""``implicit``: a coordinate network fitted to a signal or made to solve an equation, beside simpler networks."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from losslens.faces.devices import usable
from losslens.faces.folder import Manifest, claim, earlier, held
from losslens.faces.implicit.canvas import Canvas, draw, places, resolution, values_at
from losslens.faces.implicit.pages import write_results
from losslens.faces.implicit.plan import Plan, make_plan
from losslens.faces.implicit.tasks import Problem
from losslens.faces.progress import Bars, Quiet
from losslens.measure.signals import missing
from losslens.models.coordinates import CoordinateNetwork, ImplicitSpec
from losslens.models.files import load_parts, save_parts
from losslens.report.fit import TITLES, Fitted, FittedRow
from losslens.run.fields import evaluate
from losslens.run.fitting import Fitting, load_state
from losslens.run.mistakes import advice, outside
from losslens.run.signals import freedom
from losslens.vocabulary.errors import BadInput, Interrupted, LosslensWarning

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Trained:
    """A trained coordinate network and the canvas it draws on."""

    network: CoordinateNetwork
    canvas: Canvas

    def reconstruct(self, shape: tuple[int, ...] | str | None = None) -> Floats:
        r"""Values on the grid at any resolution, (\*shape, outputs); by default that of the data."""
        return draw(self.canvas, self.network, resolution(self.canvas, shape) if isinstance(shape, str) else shape)

    def at(self, coordinates: Any) -> Floats:
        """Values at any coordinates, (points, inputs) -> (points, outputs); warns where they leave [-1, 1]."""
        where = torch.as_tensor(np.asarray(coordinates, dtype=np.float32))
        if where.ndim != 2 or where.shape[1] != self.network.spec.inputs:
            raise BadInput(expected=f"coordinates (points, {self.network.spec.inputs})", found=f"{tuple(where.shape)}")
        _warn(outside(where))
        return values_at(self.canvas, self.network, where).numpy()

    def save(self, folder: Path) -> None:
        """Write model.json and weights.safetensors into a folder that appears complete."""
        text = {"network": self.network.spec.model_dump(mode="json"), "canvas": self.canvas.model_dump(mode="json")}
        save_parts(folder, text, {name: value.cpu().numpy() for name, value in self.network.state_dict().items()})


@dataclass(frozen=True)
class Fit:
    """What came of ``implicit``: the trained networks by kind, the one asked for first, and everything measured.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 16, dtype=np.float32)
    >>> fit = losslens.implicit("image", np.outer(x, x), hidden=(32, 32), steps=5)
    >>> list(fit.networks), fit.found.unit
    (['siren'], 'dB')
    """

    networks: dict[str, Trained]
    found: Fitted
    folder: Path | None = None

    @property
    def trained(self) -> Trained:
        """The network that was asked for."""
        return next(iter(self.networks.values()))

    @property
    def score(self) -> float | None:
        """The yardstick's reading of the network that was asked for; None if it diverged."""
        return self.found.rows[0].score


def implicit(
    task: str,
    source: Any = None,
    *,
    steps: int | None = None,
    network: str = "siren",
    baselines: Sequence[str] | None = (),
    hidden: Sequence[int] | None = None,
    omega: float | None = None,
    first_omega: float | None = None,
    scale: float | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    precision: str = "fp32",
    device: str = "auto",
    out: str | Path | None = None,
    progress: Bars | Quiet | None = None,
    **options: Any,
) -> Fit:
    """Fit a network from coordinates to a signal, or make it solve an equation, beside baselines.

    ``task`` is image, audio, video, poisson, sdf, helmholtz or wave; ``source`` a path or an array, none for the two
    equations. ``options`` are those of the task: ``size`` (longer side; image, video, poisson), ``known`` (gradients or
    laplacian; poisson), ``wavenumber`` (helmholtz), ``speed`` (wave), ``points`` (random points at each step; all).
    ``network`` and ``baselines`` are siren, relu, tanh or fourier; baselines of None are all that can be. With
    ``out`` a folder receives the model, the reconstruction, results.json and report.html, and calling again with the
    same one continues, also to more steps.

    Returns a :class:`Fit`; warns (:class:`LosslensWarning`) of likely mistakes; raises :class:`BadInput` for what
    cannot be. Source: Sitzmann, Martel, Bergman, Lindell and Wetzstein, NeurIPS 2020.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 16, dtype=np.float32)
    >>> fit = losslens.implicit("image", np.outer(x, x), hidden=(32, 32), steps=100)
    >>> fit.found.yardstick, fit.score > 20, fit.trained.reconstruct("32x32").shape
    ('PSNR', True, (32, 32, 1))
    """
    plan = make_plan(
        task,
        source,
        network,
        baselines,
        steps,
        {"hidden": hidden, "omega": omega, "first_omega": first_omega, "scale": scale},
        {"learning_rate": learning_rate, "seed": seed, "precision": precision, "device": usable(device)},
        options,
    )
    notes = list(dict.fromkeys(text for spec in plan.networks for text in advice(plan.start(spec))))
    _warn(notes)
    if out is None:
        return _fit(plan, notes, None, progress or Quiet())
    folder = Path(out).expanduser().absolute()
    earlier(folder, plan.identity, "fit", "data and settings")
    manifest = Manifest(name=f"{task} {plan.source}".strip(), data=plan.identity, precision=plan.fitting.precision)
    claim(folder, manifest)
    with held(folder):
        return _fit(plan, notes, folder, progress or Quiet())


def load_fit(folder: str | Path) -> Trained:
    """Read the network that ``implicit`` left in a folder, to draw at any resolution."""

    def restore(text: dict[str, Any], arrays: dict[str, Any]) -> Trained:
        network = CoordinateNetwork(ImplicitSpec.model_validate(text["network"]))
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        return Trained(network, Canvas.model_validate(text["canvas"]))

    return load_parts(Path(folder), "fit", restore)


def _fit(plan: Plan, notes: Sequence[str], folder: Path | None, progress: Bars | Quiet) -> Fit:
    """Train network after network; the first is on disk before the next begins."""
    networks: dict[str, Trained] = {}
    rows = []
    for spec in plan.networks:
        fitting = _trained(plan, spec, folder, progress)
        networks[spec.kind] = trained = Trained(fitting.network, _settled(plan.problem, fitting))
        rows.append(_row(fitting))
        if folder and len(rows) == 1:
            trained.save(folder / "model")
    found = Fitted(
        task=plan.task,
        source=plan.source,
        shape=plan.problem.canvas.shape,
        yardstick=plan.problem.field.yardstick.name,
        unit=plan.problem.field.yardstick.unit,
        higher_is_better=plan.problem.field.yardstick.higher_is_better,
        settings=plan.fitting.model_dump(mode="json"),
        warnings=tuple(notes),
        rows=tuple(rows),
    )
    drawings = {kind: trained.reconstruct() for kind, trained in networks.items()}
    if folder:
        write_results(folder, found, plan.problem, drawings)
    return Fit(networks, found, folder)


def _trained(plan: Plan, spec: ImplicitSpec, folder: Path | None, progress: Bars | Quiet) -> Fitting:
    fitting, yardstick = plan.start(spec), plan.problem.field.yardstick
    state = folder / "networks" / f"{spec.kind}.safetensors" if folder else None
    if state:
        load_state(fitting, state)
    with progress.phase(TITLES[spec.kind], plan.steps) as advance:
        for _ in range(min(fitting.step, plan.steps)):
            advance()
        try:
            fitting.run(
                plan.steps, lambda step, score: advance(f"{yardstick.name} {score:.4g} {yardstick.unit}"), state
            )
        except KeyboardInterrupt:
            after = "The same command with the same --out continues." if folder else "With --out it can be continued."
            raise Interrupted(f"Stopped at step {fitting.step}. {after}") from None
    return fitting


def _settled(problem: Problem, fitting: Fitting) -> Canvas:
    """The canvas with what derivatives leave open taken from the picture, as the yardstick does."""
    if problem.canvas.task != "poisson" or problem.truth is None:
        return problem.canvas
    where = places(problem.canvas, problem.canvas.shape)
    true = torch.from_numpy(problem.truth).reshape(len(where), -1)
    plane = missing(evaluate(fitting.network, where), true, freedom(where, problem.field.order))
    return problem.canvas.model_copy(update={"plane": tuple(tuple(row) for row in plane.tolist())})


def _row(fitting: Fitting) -> FittedRow:
    spec = fitting.network.spec
    return FittedRow(
        kind=spec.kind,
        title=TITLES[spec.kind],
        network=spec.model_dump(mode="json"),
        parameters=sum(parameter.numel() for parameter in fitting.network.parameters()),
        steps=fitting.step,
        seconds=fitting.seconds,
        score=None if fitting.diverged else fitting.score,
        curve=tuple(fitting.curve),
        diverged=fitting.diverged,
    )


def _warn(texts: Iterable[str]) -> None:
    for text in texts:
        warnings.warn(text, LosslensWarning, stacklevel=3)
