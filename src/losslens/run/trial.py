"""One trial, from spec to result: prepare, fit, pass over the held-out part, measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from losslens.losses import LOSSES
from losslens.measure.evidence import Evidence
from losslens.measure.metrics import evaluate
from losslens.measure.pictures import picture
from losslens.models.autoencoders import Autoencoder, Outputs, build, start
from losslens.models.backbones import Encoder, module_of
from losslens.models.corruptions import CORRUPTIONS, Reach, corrupt
from losslens.models.objective import Batch, Objective
from losslens.models.spec import UNTRAINED
from losslens.models.threads import one_thread
from losslens.run.baselines import Nats, mean_binary_nats, mean_count_nats, principal_axes, residual_nats
from losslens.run.batches import Rows, chunks
from losslens.run.generative import posterior, spread
from losslens.run.hidden import hidden
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
Read = Callable[[Outputs, Batch], Tensor]


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

    training, fits = train_best(make, spec.training, rows, train, valid, _seed(spec), corrupt, watch)
    trained = _result(spec, training, fits)
    if training.diverged and training.best_epoch == 0:
        return _diverged(trained, training.diverged)
    model, objective = training.model, training.objective
    try:
        told = _told(spec, model, objective, rows, data)
        evidence = _evidence(spec, data, model, rows, objective.reconstruct, told)
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
    training = Pretraining(spec, data, _seed(spec))
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
    torch.manual_seed(_seed(spec))
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
    evidence = _evidence(spec, data, encoder, rows, lambda outputs, _: outputs.output, told or {})
    return _finish(trained, evidence, {f"model.{name}": value for name, value in encoder.state_dict().items()})


def _told(spec: TrialSpec, model: Autoencoder, objective: Objective, rows: Rows, data: Prepared) -> dict[str, Any]:
    """What only some models say of the held-out part: nats, a posterior, expected zeros and variances, labels."""
    parts = chunks(torch.from_numpy(data.split.test))
    return _nats(_likelihood(objective, model, rows, parts)) | {
        "posterior": posterior(model, objective, rows, parts, _seed(spec)) if model.variational else None,
        "spread": spread(model, objective, rows, parts, _seed(spec)),
        "said": _labels(model, objective, rows, parts) if objective.classifier else None,
    }


@torch.no_grad()
def _labels(model: Autoencoder, objective: Objective, rows: Rows, parts: Sequence[Tensor]) -> list[str]:
    return [label for part in parts for label in objective.labels(model(rows(part).profiles)) or ()]


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
    told = _nats(_baseline_nats(spec, data, model))
    evidence = _evidence(spec, data, model, data.batches(True), lambda outputs, _: outputs.output, told)
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
        torch.manual_seed(_seed(spec))
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


def _evidence(
    spec: TrialSpec, data: Prepared, model: nn.Module, rows: Rows, read: Read, told: dict[str, Any]
) -> Evidence:
    train, test = torch.from_numpy(data.split.train), torch.from_numpy(data.split.test)
    code, prediction = held_out(model, rows, read, test)
    with torch.no_grad():
        train_code = torch.cat([model(rows(index).profiles).code.cpu() for index in chunks(train)])
    has_code = code.shape[1] > 0
    mean = data.profiles(train).mean(0)
    return Evidence(
        target=data.profiles(test).numpy(),
        prediction=prediction.numpy(),
        train_mean=mean.numpy(),
        code=code.numpy() if has_code else None,
        labels=None if data.labels is None else data.labels[data.split.test],
        train_code=train_code.numpy() if has_code else None,
        train_labels=None if data.labels is None else data.labels[data.split.train],
        hidden=hidden(model, read, rows, test, mean, _seed(spec)),
        seed=spec.split.seed,
        **told,
    )


def held_out(model: nn.Module, rows: Rows, read: Read, index: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and reconstructions (in the working space) of the given rows."""
    parts = []
    with torch.no_grad():
        for part in chunks(index):
            batch = rows(part)
            outputs = model(batch.profiles)
            parts.append((outputs.code.cpu(), read(outputs, batch).float().cpu()))
    codes, predictions = zip(*parts, strict=True)
    return torch.cat(codes), torch.cat(predictions)


@torch.no_grad()
def _likelihood(objective: Objective, model: nn.Module, rows: Rows, parts: Sequence[Tensor]) -> Nats | None:
    entry = objective.criterion.entry
    if not entry.is_likelihood or entry.family.gives == "sample":  # a density of directions compares with no other
        return None
    found = [objective.nats(model(batch.profiles), batch) for batch in map(rows, parts)]
    values = torch.cat([part for part in found if part is not None]).double().cpu().numpy()
    return Nats(values, "mass" if entry.domain in (Domain.COUNTS, Domain.BINARY) else "density")


def _nats(likelihood: Nats | None) -> dict[str, Any]:
    return {} if likelihood is None else {"nats": likelihood.values, "measure": likelihood.measure}


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


def _seed(spec: TrialSpec) -> int:
    return int(np.random.SeedSequence([spec.seed, spec.split.repeat]).generate_state(1)[0])
