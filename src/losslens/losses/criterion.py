"""A loss as a module: its options fixed, the parameters of its distribution learned with the network."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from losslens.losses.checks import check_options
from losslens.losses.family import LOSSES, Parameter, Reduction, publish
from losslens.losses.masks import entry_values
from losslens.vocabulary.errors import BadInput


class Criterion(nn.Module):
    """Any loss of the catalogue as an ``nn.Module``, usable in any training loop.

    A parameter of the loss, such as ``scale``, is learned, unless a number or a tensor fixes it here. Learned
    parameters are kept as logarithms in ``logs`` and within the range that the entry declares: one of each for all
    features or one per feature, as the entry says or as ``per`` does; ``features`` is needed only for the latter.
    A tensor passed with a call, such as the output of a network, replaces the parameter for that call.

    >>> criterion = Criterion("huber", delta=2.0)
    >>> criterion(torch.tensor([3.0]), torch.zeros(1))
    tensor(4.)
    >>> sorted(name for name, _ in Criterion("negative_binomial", features=3).named_parameters())
    ['logs.inverse_dispersion']
    >>> Criterion("gaussian", scale=0.5)(torch.zeros(1, 1), torch.zeros(1, 1))
    tensor(0.2258)
    """

    def __init__(
        self,
        loss: str,
        *,
        features: int | None = None,
        per: Literal["all", "feature"] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.entry = LOSSES[loss]
        self.features, self.per = features, per
        if per not in (None, "all", "feature"):
            raise BadInput(expected="per 'all' or 'feature'", found=repr(per))
        known = self.entry.parameters
        self.options = {name: option.default for name, option in self.entry.options.items()}
        self.options |= {name: value for name, value in settings.items() if name not in known}
        check_options(self.entry, self.options)
        for name in known.keys() & settings.keys():
            self.register_buffer(_fixed(name), self._checked(name, settings[name]))
        learned = {name: self._start(fact) for name, fact in known.items() if name not in settings}
        self.logs = nn.ParameterDict({name: nn.Parameter(log) for name, log in learned.items()})

    def _checked(self, name: str, value: float | Tensor) -> Tensor:
        fixed, allowed = torch.as_tensor(value, dtype=torch.get_default_dtype()), self.entry.parameters[name].range
        low, high = fixed.new_tensor(allowed.ends)
        if not bool(((fixed >= low) & (fixed <= high)).all()):
            raise BadInput(expected=f"{name} of {self.entry.name} in {allowed}", found=f"{value}")
        return fixed.detach().clone()

    def _start(self, fact: Parameter) -> Tensor:
        start = torch.tensor(fact.initial).log()
        if (self.per or fact.per) == "all":
            return start
        if self.features is None:
            raise BadInput(
                expected=f"the number of features for {self.entry.name}", found="none", remedy="Pass features=."
            )
        return start.expand(self.features).clone()

    def settings(self) -> dict[str, Any]:
        """Options and the present values of the parameters, as the loss function takes them."""
        return {**self.options, **{name: self._present(name, fact) for name, fact in self.entry.parameters.items()}}

    def _present(self, name: str, fact: Parameter) -> Tensor:
        if name not in self.logs:
            return self.get_buffer(_fixed(name))
        learned: Tensor = self.logs[name].exp()
        return learned.clamp(fact.range.low, fact.range.high)

    def values(self, output: Tensor, target: Tensor, mask: Tensor | None = None, **parameters: Tensor) -> Tensor:
        """One value per element or per sample, unchecked: for the inside of a training loop."""
        return entry_values(self.entry, (output, target), mask, self.settings() | parameters)

    def mean(self, output: Tensor, target: Tensor, **parameters: Tensor) -> Tensor:
        """The training objective, unchecked: ``reduction="mean"`` of :meth:`values`."""
        return self.entry.family.mean(self.values(output, target, **parameters), None)

    def forward(
        self,
        output: Tensor,
        target: Tensor,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction = "mean",
        **parameters: Tensor,
    ) -> Tensor:
        """The checked loss, as the function of the same name gives it."""
        how = {"weight": weight, "mask": mask, "reduction": reduction}
        return publish(self.entry)(output, target, **how, **self.settings() | parameters)

    def extra_repr(self) -> str:
        """Name, options and fixed parameters."""
        numbers = [f"{name}={value:g}" for name, value in (self.options | self._scalars()).items()]
        return ", ".join([self.entry.name, *numbers])

    def _scalars(self) -> dict[str, float]:
        held = {name: self.get_buffer(_fixed(name)) for name in self.entry.parameters if name not in self.logs}
        return {name: float(tensor) for name, tensor in held.items() if not tensor.dim()}

    def __reduce__(self) -> tuple[Any, ...]:
        fixed = {name: self.get_buffer(_fixed(name)) for name in self.entry.parameters if name not in self.logs}
        return _rebuild, (self.entry.name, self.features, self.per, self.options | fixed), self.state_dict()

    def __setstate__(self, state: dict[str, Tensor]) -> None:
        self.load_state_dict(state, assign=True)  # with its precision


def _fixed(name: str) -> str:
    return f"fixed_{name}"


def _rebuild(name: str, features: int | None, per: Literal["all", "feature"] | None, settings: Any) -> Criterion:
    return Criterion(name, features=features, per=per, **settings)
