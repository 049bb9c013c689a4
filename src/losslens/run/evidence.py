"""What a finished model gives for the held-out part: the evidence that yardsticks judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from losslens.measure.evidence import Evidence
from losslens.models.autoencoders import Autoencoder, Outputs
from losslens.models.objective import Batch, Objective
from losslens.run.baselines import Nats
from losslens.run.batches import Rows, chunks
from losslens.run.generative import posterior, spread
from losslens.run.hidden import hidden
from losslens.run.prepared import Prepared
from losslens.run.spec import TrialSpec
from losslens.vocabulary.quantities import Domain

Read = Callable[[Outputs, Batch], Tensor]


def evidence_of(
    spec: TrialSpec, data: Prepared, model: nn.Module, rows: Rows, read: Read, told: dict[str, Any]
) -> Evidence:
    """Codes and reconstructions of a model, with ``told``, which only some models say."""
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
        hidden=hidden(model, read, rows, test, mean, spec.start_seed),
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


def told_by(spec: TrialSpec, model: Autoencoder, objective: Objective, rows: Rows, data: Prepared) -> dict[str, Any]:
    """What only some models say of the held-out part: nats, a posterior, expected zeros and variances, labels."""
    parts = chunks(torch.from_numpy(data.split.test))
    return nats_told(_likelihood(objective, model, rows, parts)) | {
        "posterior": posterior(model, objective, rows, parts, spec.start_seed) if model.variational else None,
        "spread": spread(model, objective, rows, parts, spec.start_seed),
        "said": _labels(model, objective, rows, parts) if objective.classifier else None,
    }


@torch.no_grad()
def _likelihood(objective: Objective, model: nn.Module, rows: Rows, parts: Sequence[Tensor]) -> Nats | None:
    entry = objective.criterion.entry
    if not entry.is_likelihood or entry.family.gives == "sample":  # a density of directions compares with no other
        return None
    found = [objective.nats(model(batch.profiles), batch) for batch in map(rows, parts)]
    values = torch.cat([part for part in found if part is not None]).double().cpu().numpy()
    return Nats(values, "mass" if entry.domain in (Domain.COUNTS, Domain.BINARY) else "density")


@torch.no_grad()
def _labels(model: Autoencoder, objective: Objective, rows: Rows, parts: Sequence[Tensor]) -> list[str]:
    return [label for part in parts for label in objective.labels(model(rows(part).profiles)) or ()]


def nats_told(likelihood: Nats | None) -> dict[str, Any]:
    """Nats as fields of the evidence; none where there are none."""
    return {} if likelihood is None else {"nats": likelihood.values, "measure": likelihood.measure}
