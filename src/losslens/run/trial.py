"""One trial, from spec to result: prepare, fit, pass over the held-out part, measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from losslens.losses import LOSSES
from losslens.measure.evidence import Evidence
from losslens.measure.metrics import evaluate
from losslens.measure.pictures import picture
from losslens.models.autoencoders import Autoencoder, build, start
from losslens.models.backbones import Encoder, module_of
from losslens.models.corruptions import CORRUPTIONS, Reach, corrupt
from losslens.models.objective import Objective
from losslens.models.spec import UNTRAINED
from losslens.models.threads import one_thread
from losslens.run.baselines import Nats, mean_binary_nats, mean_count_nats, principal_axes, residual_nats
from losslens.run.evidence import evidence_of, nats_told, told_by
from losslens.run.loop import Corrupt, Training, train_best
from losslens.run.precision import matmul_precision
from losslens.run.prepared import Prepared, prepared
from losslens.run.reading import AutoencoderReader
from losslens.run.readout import fit_reader
from losslens.run.siamese import UNSEEN, Pretraining, Watched, calibrate, viewed
from losslens.run.spec import Fit, TrialResult, TrialSpec
from losslens.run.watching import Watching
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain

EXAMPLES, PICTURED = 6, 400


@dataclass(frozen=True)
class Finished:
    """A result with what is too large for its JSON: weights by name, and pictures and examples as arrays."""

    result: TrialResult
    weights: dict[str, Any]
    arrays: dict[str, Any]


def run_trial(spec: TrialSpec, folder: Path, looking: Watched = UNSEEN) -> Finished:
    """Run a trial on the data in ``folder``. A pure function: same spec, same result, on one thread.

    ``looking`` sees readings of a self-supervised method while it trains, and names a file that keeps its state.
    """
    with one_thread(), matmul_precision(spec):
        data = prepared(folder, spec.split, spec.transform)
        if spec.method is not None:
            return _pretrained(spec, data, looking)
        if spec.model.kind in UNTRAINED:
            return _untrained(spec, data)
        return _baseline(spec, data) if spec.objective is None else _trained(spec, data)


def _trained(spec: TrialSpec, data: Prepared) -> Finished:
    assert spec.training is not None
    assert spec.objective is not None
    make = _maker(spec, data)
    device = spec.training.device
    rows = data.batches(_sees_counts(spec), device, spec.objective.classes)
    train, valid = torch.from_numpy(data.split.train), torch.from_numpy(data.split.valid)
    corrupt = _corruption(spec, data)

    def watch(training: Training) -> Watching:
        return Watching(spec, AutoencoderReader(training))

    training, fits = train_best(make, spec.training, rows, train, valid, spec.start_seed, corrupt, watch)
    trained = _result(spec, training, fits)
    if training.diverged and training.best_epoch == 0:
        return _diverged(trained, training.diverged)
    model, objective = training.model, training.objective
    try:
        told = told_by(spec, model, objective, rows, data)
        evidence = evidence_of(spec, data, model, rows, objective.reconstruct, told)
    except BadInput as error:  # weights are finite, yet what they give on the held-out part is not
        return _diverged(trained, f"on the held-out part it gave {error.found}")
    weights = {f"model.{k}": v for k, v in model.state_dict().items()}
    weights |= {f"objective.{k}": v for k, v in objective.state_dict().items()}
    return _finish(trained, evidence, weights)


def _result(spec: TrialSpec, training: Training, fits: Sequence[Fit]) -> TrialResult:
    """What is known once training is over; what was measured is still to come."""
    return TrialResult(
        spec=spec,
        status="ok",
        fits=tuple(fits),
        parameters=training.parameters.values.numel(),
        seconds=sum(fit.seconds for fit in fits),
        findings=training.watching.findings() if training.watching else (),
    )


def _pretrained(spec: TrialSpec, data: Prepared, looking: Watched) -> Finished:
    """Pretrain, then read profiles from the codes by a linear map, so that every yardstick has what it needs."""
    training = Pretraining(spec, data, spec.start_seed)
    if looking.checkpoint:
        training.load(looking.checkpoint)
    training.run(looking)
    trained = training.result()
    if training.diverged:
        return _diverged(trained, training.diverged)
    try:
        return _encoded(trained, data, training.network.encoder, {"views": viewed(training, data)})
    except BadInput as error:  # weights are finite, yet what they give on the held-out part is not
        return _diverged(trained, f"on the held-out part it gave {error.found}")


def _untrained(spec: TrialSpec, data: Prepared) -> Finished:
    """The features as they are, or an encoder with its first weights."""
    began = time.perf_counter()
    torch.manual_seed(spec.start_seed)
    encoder, rows, train = module_of(spec.model, data.features), data.batches(False), torch.from_numpy(data.split.train)
    if isinstance(encoder, Encoder):
        encoder.center.copy_(data.profiles(train).mean(0))
        calibrate(encoder, rows, train)
    parameters = sum(part.numel() for part in encoder.parameters())
    seconds = time.perf_counter() - began
    return _encoded(TrialResult(spec=spec, status="ok", parameters=parameters, seconds=seconds), data, encoder)


def _encoded(trained: TrialResult, data: Prepared, encoder: nn.Module, told: dict[str, Any] | None = None) -> Finished:
    """What comes of an encoder; a linear reader of its code is fitted first."""
    spec = trained.spec
    rows = data.batches(False, spec.training.device if spec.training else "cpu")
    if isinstance(encoder, Encoder):
        fit_reader(encoder, rows, torch.from_numpy(data.split.train), torch.from_numpy(data.split.valid))
    evidence = evidence_of(spec, data, encoder, rows, lambda outputs, _: outputs.output, told or {})
    return _finish(trained, evidence, {f"model.{name}": value for name, value in encoder.state_dict().items()})


def _sees_counts(spec: TrialSpec) -> bool:
    """Whether the loss or a corruption works on the counts behind the profiles."""
    assert spec.objective is not None
    assert spec.training is not None
    corruptions = (spec.training.corruption, spec.training.pretraining_corruption)
    thinned = any(each is not None and CORRUPTIONS[each.name].needs_counts for each in corruptions)
    return thinned or LOSSES[spec.objective.loss].domain is Domain.COUNTS


def _corruption(spec: TrialSpec, data: Prepared) -> Corrupt | None:
    assert spec.training is not None
    wanted = spec.training.corruption
    if wanted is None:
        return None
    reach = Reach.of(data.profiles(torch.from_numpy(data.split.train)).to(spec.training.device))
    return lambda batch, noise: corrupt(batch, wanted, reach, noise)


def _baseline(spec: TrialSpec, data: Prepared) -> Finished:
    began = time.perf_counter()
    model = build(spec.model, data.features)
    train = data.profiles(torch.from_numpy(data.split.train))
    mean = train.mean(0)
    axes = principal_axes(data, spec.model.code, spec.seed) if spec.model.kind == "pca" else None
    start(model, spec.model, mean, mean, axes)
    seconds = time.perf_counter() - began
    told = nats_told(_baseline_nats(spec, data, model))
    evidence = evidence_of(spec, data, model, data.batches(True), lambda outputs, _: outputs.output, told)
    parameters = sum(part.numel() for part in model.state_dict().values())
    weights = {f"model.{k}": v for k, v in model.state_dict().items()}
    return _finish(TrialResult(spec=spec, status="ok", parameters=parameters, seconds=seconds), evidence, weights)


def _maker(spec: TrialSpec, data: Prepared) -> Callable[[], tuple[Autoencoder, Objective]]:
    """Makes network and objective before the first step: the same weights for every candidate of a repeat."""
    assert spec.objective is not None
    assert spec.training is not None
    objective_spec, device = spec.objective, spec.training.device
    first = data.batches(True)(torch.from_numpy(data.split.train))
    mean = first.profiles.mean(0)
    mean_counts = mean if first.counts is None else first.counts.mean(0)
    linear = spec.model.linear_path
    wanted = linear or "scale" in LOSSES[objective_spec.loss].parameters
    axes = principal_axes(data, spec.model.code, spec.seed) if wanted else None
    errors = first.profiles - mean
    errors = errors if axes is None else errors - errors @ axes.T @ axes

    def make() -> tuple[Autoencoder, Objective]:
        torch.manual_seed(spec.start_seed)
        model = Autoencoder.build(spec.model, data.features)
        objective = Objective(objective_spec, data.features, spec.model.code)
        start(
            model,
            spec.model,
            mean,
            objective.raw_mean(mean_counts if objective.on_counts else mean),
            axes if linear else None,
        )
        objective.start(first, errors)
        return model.to(device), objective.to(device)

    return make


def _baseline_nats(spec: TrialSpec, data: Prepared, model: nn.Module) -> Nats | None:
    train, test = (data.batches(True)(torch.from_numpy(part)) for part in (data.split.train, data.split.test))
    binary = bool(((train.profiles == 0) | (train.profiles == 1)).all())
    if spec.model.kind == "mean_profile" and (train.counts is not None or binary):
        return mean_binary_nats(train, test) if train.counts is None else mean_count_nats(train, test)
    if binary:
        return None
    with torch.no_grad():
        errors = [(batch.profiles - model(batch.profiles).output).numpy() for batch in (train, test)]
    return residual_nats(*errors)


def _finish(trained: TrialResult, evidence: Evidence, weights: dict[str, Any]) -> Finished:
    spec, result = trained.spec, trained.model_copy(update={"metrics": evaluate(evidence)})
    arrays: dict[str, Any] = {}
    if spec.split.repeat == 0:
        arrays["examples"] = evidence.prediction[:: max(1, len(evidence.prediction) // EXAMPLES)][:EXAMPLES]
        if evidence.code is not None:
            arrays["picture"] = picture(evidence.code[:PICTURED], spec.split.seed)
        if evidence.spread is not None:
            arrays |= {f"spread.{name}": values for name, values in vars(evidence.spread).items()}
    return Finished(result, {name: value.cpu().numpy() for name, value in weights.items()}, arrays)


def _diverged(trained: TrialResult, cause: str) -> Finished:
    return Finished(trained.model_copy(update={"status": "diverged", "cause": cause}), {}, {})
