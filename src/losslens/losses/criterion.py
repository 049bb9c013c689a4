"""A loss as a module: its options fixed, the parameters of its distribution learned with the network."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from losslens.losses.checks import check_options
from losslens.losses.family import LOSSES, Parameter, Reduction, publish, reduce, value_sizes
from losslens.losses.masks import entry_values
from losslens.losses.special import sloped
from losslens.vocabulary.errors import BadInput


class Criterion(nn.Module):
    """Any loss of the catalogue as an ``nn.Module``, usable in any training loop.

    It is called with the tensors of the loss's family, as the function of the same name is, and gives the reduction
    named here, if the call names no other. A parameter of the loss, such as ``scale``, is learned, unless a number or a
    tensor fixes it here. Learned parameters are kept as logarithms in ``logs`` and within the range that the entry
    declares: one of each for all features or one per feature, as the entry says or as ``per`` does; ``features`` is
    needed only for the latter. A tensor passed with a call, such as the output of a network, replaces the parameter for
    that call. What is fixed by tensors moves and is saved with the module.

    >>> criterion = Criterion("huber", delta=2.0)
    >>> criterion(torch.tensor([3.0]), torch.zeros(1))
    tensor(4.)
    >>> sorted(name for name, _ in Criterion("negative_binomial", features=3).named_parameters())
    ['logs.inverse_dispersion']
    >>> Criterion("gaussian", scale=0.5)(torch.zeros(1, 1), torch.zeros(1, 1))
    tensor(0.2258)
    >>> Criterion("triplet_margin", reduction="sum")(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 3))
    tensor(2.)
    """

    def __init__(
        self,
        loss: str,
        *,
        features: int | None = None,
        per: Literal["all", "feature"] | None = None,
        reduction: Reduction = "mean",
        **settings: Any,
    ) -> None:
        super().__init__()
        self.entry = LOSSES[loss]
        self.features, self.per, self.reduction = features, per, reduction
        if per not in (None, "all", "feature"):
            raise BadInput(expected="per 'all' or 'feature'", found=repr(per))
        if reduction not in get_args(Reduction):
            raise BadInput(expected="reduction 'none', 'mean' or 'sum'", found=repr(reduction))
        known = self.entry.parameters
        given = {name: value for name, value in settings.items() if name not in known}
        check_options(self.entry, given)
        tensors = {
            name: value for name, value in given.items() if name in self.entry.extras and isinstance(value, Tensor)
        }
        self.options = {name: option.default for name, option in self.entry.options.items()}
        self.options |= {name: value for name, value in given.items() if name not in tensors}
        fixed = {name: self._checked(name, settings[name]) for name in known if name in settings}
        for name, value in (tensors | fixed).items():
            self.register_buffer(_fixed(name), value.detach().clone())
        learned = {name: self._start(fact) for name, fact in known.items() if name not in settings}
        self.logs = nn.ParameterDict({name: nn.Parameter(log) for name, log in learned.items()})

    def _checked(self, name: str, value: float | Tensor) -> Tensor:
        fixed, allowed = torch.as_tensor(value, dtype=torch.get_default_dtype()), self.entry.parameters[name].range
        low, high = fixed.new_tensor(allowed.ends)
        if not bool(((fixed >= low) & (fixed <= high)).all()):
            raise BadInput(expected=f"{name} of {self.entry.name} in {allowed}", found=f"{value}")
        return fixed

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
        """Options, what tensors fix, and the present values of the learned parameters, as the loss takes them."""
        learned = {name: self._learned(name, self.entry.parameters[name]) for name in self.logs}
        return {**self.options, **self._tensors(), **learned}

    def _learned(self, name: str, fact: Parameter) -> Tensor:
        low, high = (math.log(end) for end in fact.range.ends)
        log = self.logs[name]
        return sloped(log.clamp(low, high), log).exp()  # what stepped beyond an end has a gradient to come back by

    def _tensors(self) -> dict[str, Tensor]:
        return {name.removeprefix(_fixed("")): tensor for name, tensor in self.named_buffers()}

    def values(self, *tensors: Tensor, mask: Tensor | None = None, **parameters: Tensor) -> Tensor:
        """One value per element, sample or batch, unchecked, in float32 at least: for the inside of a training loop."""
        return entry_values(self.entry, tensors, mask, self.settings() | parameters)

    def mean(self, *tensors: Tensor, **parameters: Tensor) -> Tensor:
        """The training objective, unchecked: ``reduction="mean"`` of :meth:`values`."""
        settings = self.settings() | parameters
        values = entry_values(self.entry, tensors, None, settings)
        return reduce(self.entry.family, values, None, "mean", value_sizes(self.entry, tensors, settings))

    def forward(
        self,
        *tensors: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction | None = None,
        **named: Tensor,
    ) -> Tensor:
        """The checked loss, as the function of the same name gives it; tensors may be given by name."""
        how = {"weight": weight, "mask": mask, "reduction": reduction or self.reduction}
        return publish(self.entry)(*tensors, **how, **self.settings() | named)

    def extra_repr(self) -> str:
        """Name, reduction if it is no mean, options and what is fixed by one number."""
        scalars = {name: tensor.item() for name, tensor in self._tensors().items() if not tensor.dim()}
        shown = [f"{name}={_short(value)}" for name, value in (self.options | scalars).items()]
        how = [] if self.reduction == "mean" else [f"reduction={self.reduction!r}"]
        return ", ".join([self.entry.name, *how, *shown])

    def __reduce__(self) -> tuple[Any, ...]:
        how = {"features": self.features, "per": self.per, "reduction": self.reduction}
        return _rebuild, (self.entry.name, how | self.options | self._tensors()), self.state_dict()

    def __setstate__(self, state: dict[str, Tensor]) -> None:
        self.load_state_dict(state, assign=True)  # with its precision


def _fixed(name: str) -> str:
    return f"fixed_{name}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _rebuild(name: str, settings: dict[str, Any]) -> Criterion:
    return Criterion(name, **settings)
