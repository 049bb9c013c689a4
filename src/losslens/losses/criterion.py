"""A loss as a module: its options fixed, the parameters of its distribution learned with the network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from losslens.losses.checks import check_options
from losslens.losses.family import LOSSES, Parameter, Reduction, entry_values, publish
from losslens.vocabulary.errors import BadInput


class Criterion(nn.Module):
    """Any loss of the catalogue as an ``nn.Module``, usable in any training loop.

    ``features`` is needed only by losses that learn one parameter per feature. Learned parameters are
    kept as logarithms in ``logs`` and kept within the range that the entry declares.

    >>> criterion = Criterion("huber", delta=2.0)
    >>> criterion(torch.tensor([3.0]), torch.zeros(1))
    tensor(4.)
    >>> sorted(name for name, _ in Criterion("negative_binomial", features=3).named_parameters())
    ['logs.inverse_dispersion']
    """

    def __init__(self, loss: str, *, features: int | None = None, **options: float) -> None:
        super().__init__()
        self.entry = LOSSES[loss]
        self.options = {name: option.default for name, option in self.entry.options.items()} | options
        check_options(self.entry, self.options)
        self.logs = nn.ParameterDict(
            {name: nn.Parameter(self._start(fact, features)) for name, fact in self.entry.parameters.items()}
        )

    def _start(self, fact: Parameter, features: int | None) -> Tensor:
        if fact.per == "feature" and features is None:
            raise BadInput(
                expected=f"the number of features for {self.entry.name}", found="none", remedy="Pass features=."
            )
        return torch.tensor(fact.initial).log().expand(features if fact.per == "feature" else ()).clone()  # type: ignore[arg-type]

    def settings(self) -> dict[str, Any]:
        """Options and the present values of the learned parameters, as the loss function takes them."""
        learned = {
            name: self.logs[name].exp().clamp(fact.range.low, fact.range.high)
            for name, fact in self.entry.parameters.items()
        }
        return {**self.options, **learned}

    def values(self, output: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """One value per element or per sample, unchecked: for the inside of a training loop."""
        return entry_values(self.entry, (output, target), mask, self.settings())

    def mean(self, output: Tensor, target: Tensor) -> Tensor:
        """The training objective, unchecked: ``reduction="mean"`` of :meth:`values`."""
        return self.entry.family.mean(self.values(output, target), None)

    def forward(
        self,
        output: Tensor,
        target: Tensor,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """The checked loss, as the function of the same name gives it."""
        return publish(self.entry)(output, target, weight=weight, mask=mask, reduction=reduction, **self.settings())

    def extra_repr(self) -> str:
        """Name and options."""
        return ", ".join([self.entry.name, *(f"{name}={value:g}" for name, value in self.options.items())])

    def __reduce__(self) -> tuple[Any, ...]:
        sizes = [log.numel() for log in self.logs.values() if log.dim()]
        return (
            _rebuild,
            (self.entry.name, sizes[0] if sizes else None, self.options),
            self.state_dict(),
            None,
            None,
            _restore,
        )


def _rebuild(name: str, features: int | None, options: dict[str, float]) -> Criterion:
    return Criterion(name, features=features, **options)


def _restore(criterion: Criterion, state: dict[str, Tensor]) -> None:
    criterion.load_state_dict(state)
