"""``compare``: from data to a judged comparison, a report and a model, resumable at any point."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from losslens.data.gate import Observation, look
from losslens.data.profiles import Profiles
from losslens.data.readers import read
from losslens.data.splits import split
from losslens.faces.devices import usable
from losslens.faces.folder import Manifest, Source, claim, earlier, held, place
from losslens.faces.goal import settle_goal
from losslens.faces.method_settings import check_methods_asked, decays_of, methods_of
from losslens.faces.origin import source_of
from losslens.faces.outcome import Comparison, Run, finish
from losslens.faces.progress import Bars, Quiet, Told
from losslens.faces.settings import (
    BETA,
    at_least,
    corruption_of,
    network,
    precision_of,
    training,
    within,
)
from losslens.run.composition import Shared, shape_named
from losslens.run.executors import Executor, LocalProcesses, Serial
from losslens.run.methods import Methods, check_buildable
from losslens.run.plan import plan
from losslens.run.prepared import DataFolder
from losslens.run.session import Clock, complete
from losslens.run.store import Store
from losslens.vocabulary.errors import BadInput, Interrupted


@dataclass(frozen=True)
class Request:
    """What was asked for, checked; the network and its training are specs already."""

    shared: Shared
    losses: tuple[str, ...]
    models: tuple[str, ...]
    goal: str | None
    repeats: int
    seed: int
    sizes: tuple[int, ...]
    methods: Methods | None = None


def compare(
    data: Any,
    *,
    label: Any = None,
    group: Any = None,
    id_column: str | None = None,
    transpose: bool = False,
    layer: str | None = None,
    size: int | None = None,
    kind: str | None = None,
    goal: str | None = None,
    losses: Sequence[str] = (),
    models: Sequence[str] = (),
    methods: Sequence[str] = (),
    cut: float | Sequence[float] = 1.0,
    cut_form: str = "all",
    grad_scale: float = 0.0,
    views: str = "",
    code: int = 32,
    code_sizes: Sequence[int] = (),
    hidden: Sequence[int] | None = None,
    activation: str = "relu",
    normalisation: str = "none",
    dropout: float | None = None,
    tied: bool = False,
    weight_decay: float | Sequence[float] | None = None,
    average: float | None = None,
    corruption: str | None = None,
    emphasis: str = "none",
    beta: float = 1.0,
    pretraining: int | None = None,
    shape: str | None = None,
    repeats: int = 5,
    seed: int = 0,
    epochs: int | None = None,
    batch: int | None = None,
    learning_rates: Sequence[float] | None = None,
    precision: str = "auto",
    device: str = "auto",
    budget: str | float | None = None,
    workers: int | None = None,
    out: str | Path | None = None,
    progress: Bars | Quiet | None = None,
    announce: Callable[..., None] | None = None,
) -> Comparison:
    """Train a model under each objective that fits the data and say which to use.

    ``data`` is a bundled name, a path, an array, a sparse matrix, a DataFrame or an AnnData object; rows are samples.
    A folder of pictures, which ``size`` brings to one size, and arrays of images keep their ``shape``.
    With several ``code_sizes`` each candidate is trained with each, and the report says from where longer codes bring
    nothing. ``methods`` are self-supervised ones, trained with every ``cut`` and ``weight_decay`` on two ``views``
    (``"NAME,NAME:OPTION=VALUE"``); autoencoders stand beside them where losses or models are asked for, and
    ``learning_rates`` then are those of autoencoders alone.
    Returns a :class:`Comparison`; raises :class:`BadInput` for data or options that cannot be used, before
    anything is written. The folder ``out`` (default ``losslens-runs/<name>-<time>``) receives report.html,
    results.json, the recommended model and one folder per trial; calling again with the same ``out``
    continues what is missing.

    >>> import numpy, tempfile
    >>> X = numpy.random.default_rng(0).normal(size=(60, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = compare(X, losses=["mse", "mae"], repeats=2, epochs=2, code=2, hidden=[8], workers=0, out=folder)
    >>> sorted(row.key for row in found.document.rows)
    ['mae', 'mean_profile', 'mse', 'pca', 'zeros']
    """
    if not methods:
        check_methods_asked({"cut": cut, "cut_form": cut_form, "grad_scale": grad_scale, "views": views})
    reading: dict[str, Any] = {"label": label, "group": group, "id_column": id_column, "transpose": transpose}
    reading |= {"layer": layer, "size": size}
    profiles = read(data, **reading)
    seen = look(profiles, kind)
    clock, executor = Clock(seconds(budget)), executor_of(workers)
    folder = place(out, profiles.name)
    before = earlier(folder, profiles.content_hash)
    sizes = _sizes(code, code_sizes)
    decays, decay = decays_of(weight_decay, bool(methods))
    image = shape_named(shape, profiles.shape[1], profiles.sample_shape)
    request = Request(
        shared=Shared(
            model=network(
                code=sizes[0],
                hidden=hidden,
                activation=activation,
                normalisation=normalisation,
                dropout=dropout,
                tied=tied,
            ),
            training=training(
                profiles,
                epochs=epochs,
                batch=batch,
                learning_rates=learning_rates,
                precision=precision_of(precision, before),
                device=usable(device),
                weight_decay=decay,
                average=average,
            ),
            shape=image,
            classes=() if profiles.labels is None else tuple(sorted(set(map(str, profiles.labels)))),
            corruption=corruption_of(corruption, emphasis),
            beta=within(BETA, beta, "beta"),
            pretraining=None if pretraining is None else at_least(1, pretraining, "epochs of pretraining"),
        ),
        losses=tuple(losses),
        models=tuple(models),
        goal=goal,
        repeats=at_least(1, repeats, "repeats"),
        seed=at_least(0, seed, "a seed"),
        sizes=sizes,
    )
    if methods:
        asked = methods_of(
            request.shared,
            profiles,
            methods,
            cuts=cut,
            cut_form=cut_form,
            decays=decays,
            grad_scale=grad_scale,
            views=views,
            shape_given=bool(shape or profiles.sample_shape),
            hidden=hidden,
            epochs=epochs,
            batch=batch,
            learning_rates=None if losses or models else learning_rates,  # of Adam, where autoencoders stand beside
        )
        request = replace(request, methods=asked)
    intended = settle(profiles, seen, request)
    claim(folder, before or manifest(intended, source_of(data, **reading)))
    if announce:
        announce(intended.facts, goal=intended.goal, refused=intended.refused)
    with held(folder):
        return run(intended, folder, executor, clock, progress or Quiet())


def settle(profiles: Profiles, seen: Observation, request: Request) -> Run:
    """Everything that will be done, or the reason why it cannot be; nothing is written yet."""
    intended = plan(
        seen,
        request.shared,
        content_hash=profiles.content_hash,
        losses=request.losses,
        models=request.models,
        repeats=request.repeats,
        seed=request.seed,
        sizes=request.sizes,
        methods=request.methods,
    )
    check_buildable(intended.trials, profiles.shape[1])
    goal = settle_goal(request.goal, profiles, seen, intended)
    split(profiles.shape[0], profiles.labels, profiles.groups, repeat=0, seed=request.seed)  # says what it lacks
    return Run(profiles, seen, intended, goal, request.shared.training)


def run(intended: Run, folder: Path, executor: Executor, clock: Clock, progress: Bars | Quiet) -> Comparison:
    """Train what is missing, judge and write."""
    store, cache = Store(folder / "trials"), folder / "cache"
    trials = intended.plan.trials
    try:
        data = DataFolder.write(intended.profiles, cache)
        with progress.phase("training", len(trials)) as advance:
            outcome = complete(trials, data.folder, store, executor, clock, advance, Told(progress))
        with progress.phase("report", 1) as advance:
            found = finish(intended, outcome, folder, store, data, clock)
            advance()
    except KeyboardInterrupt:
        ready = sum(store.get(spec) is not None for spec in trials)
        raise Interrupted(
            f"Stopped. {ready} of {len(trials)} trials are finished and kept. "
            f"The same command with --out {folder} goes on from there."
        ) from None
    shutil.rmtree(cache, ignore_errors=True)
    return found


def manifest(intended: Run, source: Source | None = None) -> Manifest:
    """What the folder says of itself."""
    profiles = intended.profiles
    precision = intended.training.precision
    return Manifest(name=profiles.name, data=profiles.content_hash, precision=precision, source=source)


def executor_of(workers: int | None) -> Executor:
    """Processes for the trials, one per core by default; 0 runs them in this one."""
    if workers == 0:
        return Serial()
    return LocalProcesses(None if workers is None else at_least(0, workers, "workers"))


def _sizes(code: int, several: Sequence[int]) -> tuple[int, ...]:
    """Each code size once, from the smallest up."""
    return tuple(sorted({at_least(1, size, "a code size") for size in several or (code,)}))


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(budget: str | float | None) -> float | None:
    """A time limit in seconds from ``90``, ``"90s"``, ``"10m"`` or ``"2h"``.

    >>> seconds("10m"), seconds("1.5h"), seconds(None)
    (600.0, 5400.0, None)
    """
    if budget is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", str(budget))
    if not found or float(found[1]) <= 0:
        raise BadInput(expected="a budget such as 90s, 10m or 2h", found=repr(budget))
    return float(found[1]) * _UNITS[found[2] or "s"]
