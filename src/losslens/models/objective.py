"""An objective: a weighted list of terms over the named outputs of a network.

The first term is the reconstruction: a loss, its output activation and, for losses blind to scale, a head that learns
the magnitude. The others take what they need by name: the code, the posterior's mean and log-variance, the inputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from losslens.activations import ACTIVATIONS
from losslens.losses.criterion import Criterion
from losslens.losses.expectation import expected_log1p
from losslens.losses.family import LOSSES
from losslens.models.autoencoders import Autoencoder, Outputs
from losslens.models.magnitude import MagnitudeHead
from losslens.models.spec import ObjectiveSpec, TermSpec
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain


class Batch(NamedTuple):
    """Profiles in the working space and, for count data, the counts behind them.

    ``library`` (batch, 1) is the sum of a row's counts, ``scale`` (batch, 1) what they were multiplied by
    before the logarithm. ``labels`` (batch,) number the classes. ``corrupted`` is what the network sees in place of
    the profiles, ``weight`` how much each entry's loss then counts.
    """

    profiles: Tensor
    counts: Tensor | None = None
    library: Tensor | None = None
    scale: Tensor | None = None
    labels: Tensor | None = None
    corrupted: Tensor | None = None
    weight: Tensor | None = None

    @property
    def inputs(self) -> Tensor:
        """What the network sees."""
        return self.profiles if self.corrupted is None else self.corrupted

    def to(self, device: str) -> Batch:
        """The same batch on a device."""
        moved = [None if part is None else part.to(device) for part in self]
        assert moved[0] is not None
        return Batch(moved[0], *moved[1:])


class Term:
    """A loss of the catalogue over named outputs, with its weight."""

    def __init__(self, spec: TermSpec) -> None:
        self.spec, self.entry = spec, LOSSES[spec.loss]
        self.names = [spec.on.get(argument.name, argument.name) for argument in self.entry.family.arguments]
        self.settings = {name: option.default for name, option in self.entry.options.items()} | spec.options

    @property
    def is_divergence(self) -> bool:
        """Whether it holds a posterior to its prior: the second half of an evidence lower bound."""
        return self.names == ["mean", "log_variance"]

    def __call__(self, named: dict[str, Any]) -> Tensor:
        """Its value, a scalar, without the weight."""
        missing = [name for name in self.names if named.get(name) is None]
        if missing:
            raise BadInput(
                expected=f"a network that gives {' and '.join(missing)}, for the term {self.entry.name}",
                found="one that does not",
            )
        values = self.entry.element(*(named[name] for name in self.names), **self.settings)
        return self.entry.family.mean(values, None)

    def share(self, epoch: int | None) -> float:
        """The part of the weight that applies in an epoch (counted from 0); all of it in none."""
        return 1.0 if epoch is None else min(1.0, (epoch + 1) / max(self.spec.warm_up, 1))


class Objective(nn.Module):
    """What is minimised, and how the network's raw output is read as a reconstruction."""

    def __init__(self, spec: ObjectiveSpec, features: int, code: int) -> None:
        super().__init__()
        self.spec, self.features = spec, features
        options: dict[str, Any] = spec.options
        self.criterion = Criterion(spec.loss, features=features, **options)
        entry = self.criterion.entry
        self.on_counts = entry.domain is Domain.COUNTS
        self.head = MagnitudeHead(code, entry.shift_invariant) if entry.scale_invariant else None
        self.terms = tuple(Term(term) for term in spec.terms)
        self.classifier = nn.Linear(code, len(spec.classes)) if spec.classes else None
        self.epoch: int | None = None

    @property
    def asks_for_inputs(self) -> bool:
        """Whether a term differentiates the code by the inputs."""
        return any("inputs" in term.names for term in self.terms)

    @property
    def warm_up(self) -> int:
        """Epochs until every term has its full weight."""
        return max((term.spec.warm_up for term in self.terms), default=0)

    @property
    def per_term(self) -> float:
        """The scale of the other terms: nats are summed over features, all other losses count once for each feature."""
        return 1.0 if self.criterion.entry.is_likelihood or self.classifier else 1.0 / self.features

    @property
    def divergence(self) -> float | None:
        """The weight of the divergence of a posterior from its prior, or None where no term is one."""
        weights = [term.spec.weight for term in self.terms if term.is_divergence]
        return sum(weights) if weights else None

    def own_loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """The objective under comparison, a scalar: what early stopping and the choice of learning rate go by.

        Of classifiers it is the other terms alone: their decoder only reads the code.
        """
        if self.classifier is not None:
            return self._others(outputs, batch)
        own = self.reconstruction_loss(outputs.output, batch)
        return own + self._others(outputs, batch) if self.terms else own

    def reconstruction_loss(self, output: Tensor, batch: Batch) -> Tensor:
        """The first term alone, of raw outputs (batch, features); a batch's weights multiply its entries' values."""
        values = self.criterion.values(self.linked(output, batch), self.target(batch))
        return self.criterion.entry.family.mean(values if batch.weight is None else values * batch.weight, None)

    def _others(self, outputs: Outputs, batch: Batch) -> Tensor:
        named = outputs._asdict() | self._classified(outputs, batch)
        weighted = [term.spec.weight * term.share(self.epoch) * term(named) for term in self.terms]
        return self.per_term * torch.stack(weighted).sum()

    def _classified(self, outputs: Outputs, batch: Batch) -> dict[str, Any]:
        return {} if self.classifier is None else {"logits": self.classifier(outputs.code), "labels": batch.labels}

    def forward(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        """The scalar to differentiate, and the part of it that is the objective under comparison.

        The rest only reads the code: the head of a loss blind to scale, and the decoder of a classifier.
        """
        total = own = self.own_loss(outputs, batch)
        if self.classifier is not None:
            total = total + self.reconstruction_loss(outputs.output, batch)
        if self.head is not None:
            total = total + self.head.loss(outputs.code, batch.profiles)
        return total, own

    def reconstruct(self, outputs: Outputs, batch: Batch) -> Tensor:
        """The reconstruction in the working space, (batch, features)."""
        linked = self.linked(outputs.output, batch)
        if self.head is not None:
            return self.head.apply_to(linked, outputs.code)
        if self.on_counts and batch.scale is not None:
            return self._expected_log(linked, batch.scale)
        prediction = self.criterion.entry.prediction
        return linked if prediction is None else prediction(linked, **self.criterion.settings())

    def labels(self, outputs: Outputs) -> list[str] | None:
        """The label that a classifier on the code gives each sample, or None if there is no classifier."""
        if self.classifier is None:
            return None
        return [self.spec.classes[place] for place in self.classifier(outputs.code).argmax(1).tolist()]

    def nats(self, outputs: Outputs, batch: Batch) -> Tensor | None:
        """Negative log-likelihood of each profile given its code, in nats, (batch,), or None if it is no likelihood."""
        if not self.criterion.entry.is_likelihood:
            return None
        nats = self.criterion.values(self.linked(outputs.output, batch), self.target(batch))
        return nats if nats.dim() == 1 else nats.sum(1)

    def raw_mean(self, mean: Tensor) -> Tensor:
        """The raw output whose reconstruction is ``mean`` (of profiles, or of counts for a count loss)."""
        if self.spec.link == "softmax":
            share = mean.clamp_min(1e-6 * float(mean.mean().clamp_min(1e-12)))
            return (share / share.sum()).log()
        if self.spec.link == "log":
            return mean.clamp_min(1e-12).log()
        link = ACTIVATIONS["sigmoid" if self.spec.link == "logits" else self.spec.link]
        return mean if link.inverse is None else link.inverse(mean)

    @torch.no_grad()
    def start(self, batch: Batch, errors: Tensor) -> None:
        """Set what does not depend on the network from training rows and the errors of a first reconstruction."""
        if self.head is not None:
            self.head.start(batch.profiles)
        if "scale" in self.criterion.logs and self.spec.link == "linear":
            # its best constant for these errors: small steps could not bring it there in time
            squared = self.criterion.entry.elicits == "mean"
            spread = errors.square().mean().sqrt() if squared else errors.abs().mean()
            self.criterion.logs["scale"].fill_(float(spread.clamp_min(1e-3).log()))

    def target(self, batch: Batch) -> Tensor:
        """What the loss compares with: counts for a loss of counts, else profiles."""
        if not self.on_counts:
            return batch.profiles
        assert batch.counts is not None
        return batch.counts

    def linked(self, output: Tensor, batch: Batch) -> Tensor:
        """The raw output through its activation: what the loss compares with its target, (batch, features)."""
        if self.spec.link == "softmax":
            assert batch.library is not None
            return torch.softmax(output, 1) * batch.library
        return output if self.spec.link in ("logits", "linear", "log") else ACTIVATIONS[self.spec.link].function(output)

    def _expected_log(self, mean: Tensor, scale: Tensor) -> Tensor:
        log_laplace = self.criterion.entry.log_laplace
        assert log_laplace is not None
        settings = self.criterion.settings()
        largest = float((mean.amax(1, keepdim=True) * scale).max())
        return expected_log1p(lambda s: log_laplace(mean, s, **settings), scale, largest)


def outputs_of(model: Autoencoder, objective: Objective, inputs: Tensor, noise: torch.Generator | None) -> Outputs:
    """The network's outputs for a batch, with everything that the terms of the objective ask for."""
    if not objective.asks_for_inputs:
        return model(inputs, noise)  # type: ignore[no-any-return]
    inputs = inputs.detach().requires_grad_()
    return model(inputs, noise)._replace(inputs=inputs)  # type: ignore[no-any-return]
