"""``pretrain``: one self-supervised method on some data, judged on a held-out part, resumable at any epoch."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from losslens.data.gate import look
from losslens.data.profiles import Profiles
from losslens.data.readers import read
from losslens.faces.compare import Request, manifest, settle
from losslens.faces.devices import usable
from losslens.faces.folder import claim, earlier, held, place
from losslens.faces.method_settings import TEMPERATURES, decays_of, methods_of
from losslens.faces.origin import source_of
from losslens.faces.outcome import Comparison, Run, finish
from losslens.faces.progress import Bars, Quiet, Told
from losslens.faces.settings import at_least, network, precision_of, training, within
from losslens.faces.writers import write_matrix
from losslens.run.composition import Shared, shape_named
from losslens.run.executors import Serial
from losslens.run.prepared import DataFolder
from losslens.run.session import Clock, complete
from losslens.run.spec import TrialSpec
from losslens.run.store import Store
from losslens.vocabulary.errors import Interrupted

STATE, EMBEDDING = "state.safetensors", "embedding.npz"


def pretrain(
    data: Any,
    *,
    method: str = "simclr",
    label: Any = None,
    group: Any = None,
    id_column: str | None = None,
    transpose: bool = False,
    layer: str | None = None,
    size: int | None = None,
    kind: str | None = None,
    cut: float = 1.0,
    cut_form: str = "all",
    grad_scale: float = 0.0,
    views: str = "",
    head: int = 128,
    temperature: float | None = None,
    code: int = 32,
    hidden: Sequence[int] | None = None,
    activation: str = "relu",
    shape: str | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    seed: int = 0,
    precision: str = "fp32",
    device: str = "auto",
    out: str | Path | None = None,
    progress: Bars | Quiet | None = None,
    announce: Callable[..., None] | None = None,
) -> Comparison:
    """Train an encoder by a self-supervised method, without labels, and judge its codes on a held-out part.

    ``data`` are as for :func:`compare`. A fifth of the samples is held out and a part of the others validates, as in a
    comparison of one split; PCA, the raw features and an untrained encoder stand beside. ``weight_decay``,
    ``temperature``, ``learning_rate`` and ``views`` of None or nothing are those of the method and of the kind of data.
    The folder ``out`` receives the encoder (``losslens.load``), ``embedding.npz`` with the codes of all samples,
    report.html and results.json; calling again with the same ``out`` continues a training that was stopped.

    Raises :class:`BadInput` for data or options that cannot be used, before anything is written.

    >>> import numpy, tempfile
    >>> X = numpy.random.default_rng(0).normal(size=(60, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = pretrain(X, method="simsiam", cut=9, epochs=2, code=4, hidden=[8], head=8, out=folder)
    ...     found.recommended, found.model.transform(X).shape
    ('simsiam/cut=9/wd=0.0005', (60, 4))
    """
    reading: dict[str, Any] = {"label": label, "group": group, "id_column": id_column, "transpose": transpose}
    reading |= {"layer": layer, "size": size}
    profiles = read(data, **reading)
    seen = look(profiles, kind)
    folder = place(out, f"pretrain-{profiles.name}")
    before = earlier(folder, profiles.content_hash, "pretraining")
    rates = None if learning_rate is None else [learning_rate]
    shared = Shared(
        model=network(code=code, hidden=hidden, activation=activation, normalisation="none", dropout=None, tied=False),
        training=training(
            profiles,
            epochs=epochs,
            batch=batch,
            learning_rates=rates,
            precision=precision_of(precision, before),
            device=usable(device),
            weight_decay=0.0,
            average=None,
        ),
        shape=shape_named(shape, profiles.shape[1], profiles.sample_shape),
    )
    asked = methods_of(
        shared,
        profiles,
        [method],
        cuts=cut,
        decays=decays_of(weight_decay, True)[0],
        cut_form=cut_form,
        grad_scale=grad_scale,
        views=views,
        head=at_least(2, head, "a head's width"),
        hidden=hidden,
        shape_given=bool(shape or profiles.sample_shape),
        epochs=epochs,
        batch=batch,
        learning_rates=rates,
        temperature=None if temperature is None else within(TEMPERATURES, temperature, "a temperature"),
    )
    request = Request(shared, (), (), None, 1, at_least(0, seed, "a seed"), (code,), asked)
    intended = settle(profiles, seen, request)
    claim(folder, before or manifest(intended, source_of(data, **reading)))
    if announce:
        announce(intended.facts, goal=intended.goal)
    with held(folder):
        return _run(intended, folder, progress or Quiet())


def _run(intended: Run, folder: Path, progress: Bars | Quiet) -> Comparison:
    """Train what is missing, judge and write."""
    store, clock = Store(folder / "trials"), Clock()
    own = next(spec for spec in intended.plan.trials if spec.method is not None)
    try:
        data = DataFolder.write(intended.profiles, folder / "cache")
        _pretrain(own, data, store, clock, folder / STATE, progress)
        with progress.phase("report", len(intended.plan.trials)) as advance:
            outcome = complete(intended.plan.trials, data.folder, store, Serial(), clock, advance)
            found = finish(intended, outcome, folder, store, data, clock)
    except KeyboardInterrupt:
        raise Interrupted(_stopped(folder)) from None
    if found.recommended:
        _write_embedding(found, intended.profiles, folder / EMBEDDING)
    (folder / STATE).unlink(missing_ok=True)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return found


def _stopped(folder: Path) -> str:
    """What a stopped pretraining leaves: a state, its finished training, or nothing yet."""
    if (folder / STATE).exists():
        return (
            f"Stopped; the state of a few seconds ago is kept. The same command with --out {folder} goes on from there."
        )
    kept = "what was finished is kept" if any(folder.glob("trials/*")) else "nothing was trained yet"
    return f"Stopped; {kept}. The same command with --out {folder} goes on."


def _pretrain(
    own: TrialSpec, data: DataFolder, store: Store, clock: Clock, state: Path, progress: Bars | Quiet
) -> None:
    """Run the trial of the method, with its readings beside the bar."""
    from losslens.run.siamese import Watched

    assert own.training is not None
    with progress.phase("pretraining", own.training.epochs) as advance:
        shown = 0

        def watch(epoch: int, course: dict[str, list[float | None]]) -> None:
            nonlocal shown
            while shown < epoch:
                shown += 1
                advance(_note(course))

        complete([own], data.folder, store, Serial(Watched(watch, state)), clock, lambda: None, Told(progress))


_SHOWN = {"loss": "loss", "norm": "norm", "knn_accuracy": "kNN"}


def _note(course: dict[str, list[float | None]]) -> str:
    """The latest readings in a line."""
    latest = {name: next((v for v in reversed(course[name]) if v is not None), None) for name in _SHOWN}
    return "  ".join(f"{_SHOWN[name]} {value:.3g}" for name, value in latest.items() if value is not None)


def _write_embedding(found: Comparison, profiles: Profiles, path: Path) -> None:
    codes = found.model.transform(profiles)
    columns = [f"code_{place + 1}" for place in range(codes.shape[1])]
    write_matrix(path, codes, profiles.samples, columns, profiles.labels)
