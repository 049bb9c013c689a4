"""What is known about one activation, and how its options are checked.

Facts speak of the real function at the defaults of its options, not of its rounded values: ``tanh`` saturates but
cannot die, although in float32 its gradient is zero from about 9 on. Constants have as many digits as a float holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from losslens.vocabulary.catalogue import Catalogue
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Choice, Interval, Option, Range

MARGIN = 1e-6  # an inverse stays this far inside an open end: float32 resolves it, and no bias becomes huge


@dataclass(frozen=True, kw_only=True)
class ActivationEntry:
    """The facts about one activation.

    - ``formula`` and ``derivative``: LaTeX, with the names of the options as symbols.
    - ``acts``: on each element alone, or on all values along a ``dimension``. Of the latter ``range`` to ``can_die``
      speak of one value as a function of its own input, the others fixed; kinks then depend on the others.
    - ``range``: the closure of the values it takes.
    - ``monotone``: never decreasing.
    - ``zero_centred``: standard normal inputs give outputs of mean zero.
    - ``smoothness``: how often it can be differentiated, everywhere but at no point of ``kinks``.
    - ``saturates``: at which end the derivative tends to zero, so that gradients fade.
    - ``can_die``: the derivative is zero on a whole half line; a unit that lands there may never return.
    - ``gain``: the factor on initial weights that keeps the mean square of a layer from growing or fading,
      ``1 / sqrt(E f(z)^2)`` for standard normal z (He et al., ICCV 2015); none along a dimension.
    - ``pytorch_gain``: what ``torch.nn.init.calculate_gain`` gives in its place, where that is by another rule.
    - ``lipschitz``: the largest absolute derivative, or spectral norm of the Jacobian; infinite if it grows with
      the number of values.
    - ``keeps_moments``: inputs of mean 0 and variance 1 give outputs of mean 0 and variance 1.
    - ``simplex``: values along the dimension are shares that sum to one.
    - ``shift_invariant``: adding a constant to all inputs along the dimension changes nothing.
    - ``learned``: names of the parameters that training changes; the function takes them as tensors.
    - ``initialisation``: the weights to start with before this activation; ``use`` and ``failure``: when to take it
      and how it goes wrong.
    - ``output``: of use as the last layer, the link from a network to data in ``range``.
    - ``inverse``: for outputs, the pre-activation of a value, taken just inside an open end of the range.

    >>> entry = ACTIVATIONS["tanh"]
    >>> str(entry.range), entry.saturates, entry.can_die
    ('[-1, 1]', 'both', False)
    >>> entry.function(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """

    name: str
    summary: str
    formula: str
    derivative: str
    compute: Callable[..., Tensor]
    range: Interval
    lipschitz: float
    initialisation: str
    use: str
    failure: str
    reference: str
    example: str
    make: Callable[..., nn.Module] | None = None
    gain: float | None = None
    pytorch_gain: float | None = None
    aliases: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)
    learned: tuple[str, ...] = ()
    acts: Literal["element", "dimension"] = "element"
    monotone: bool = True
    zero_centred: bool = False
    smoothness: Literal["C0", "C1", "C-infinity"] = "C-infinity"
    kinks: tuple[float, ...] = ()
    saturates: Literal["left", "right", "both", "none"] = "left"
    can_die: bool = False
    keeps_moments: bool = False
    simplex: bool = False
    shift_invariant: bool = False
    output: bool = False
    inverse: Callable[[Tensor], Tensor] | None = None

    @property
    def bounded(self) -> bool:
        """Whether the values lie in a finite interval."""
        return math.isfinite(self.range.low) and math.isfinite(self.range.high)

    def function(self, x: Tensor, **settings: Any) -> Tensor:
        """Its values at ``x``; keywords are options, or learned parameters as tensors.

        >>> ACTIVATIONS["leaky_relu"].function(torch.tensor([-1.0, 2.0]), slope=0.5)
        tensor([-0.5000,  2.0000])
        """
        return self.compute(x, **self._complete(settings, self.learned))

    def module(self, **options: Any) -> nn.Module:
        """A new layer: PyTorch's own where there is one.

        >>> ACTIVATIONS["elu"].module(alpha=2.0)
        ELU(alpha=2.0)
        """
        options = self._complete(options)
        return Activation(self.name, self.compute, options) if self.make is None else self.make(**options)

    def _complete(self, settings: Mapping[str, Any], learned: tuple[str, ...] = ()) -> dict[str, Any]:
        for name, value in settings.items():
            if name not in learned:
                self._check(name, value)
        return {name: option.default for name, option in self.options.items()} | dict(settings)

    def _check(self, name: str, value: Any) -> None:
        if name not in self.options:
            known = ", ".join(self.options) or "none"
            remedy = "Leave it out or use one of these names."
            raise BadInput(expected=f"an option of {self.name} (it has: {known})", found=repr(name), remedy=remedy)
        option = self.options[name]
        if not _fits(option, value):
            whole = "a whole number " if type(option.default) is int and isinstance(option.range, Range) else ""
            remedy = f"Without it, {name} is {option.default!r}."
            expected = f"{name} of {self.name} {whole}in {option.range}"
            raise BadInput(expected=expected, found=repr(value), remedy=remedy)


def _fits(option: Option, value: Any) -> bool:
    if isinstance(option.range, Choice):
        return type(value) is type(option.default) and value in option.range
    kinds = int if type(option.default) is int else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and value in option.range


class Activation(nn.Module):
    """The layer of an activation that PyTorch has none for."""

    def __init__(self, name: str, compute: Callable[..., Tensor], options: Mapping[str, Any]) -> None:
        super().__init__()
        self.name, self.compute, self.options = name, compute, dict(options)

    def forward(self, x: Tensor) -> Tensor:
        """Values of the same shape as ``x``."""
        return self.compute(x, **self.options)

    def extra_repr(self) -> str:
        """Name and options, for print."""
        return ", ".join([self.name, *(f"{name}={value}" for name, value in self.options.items())])


ACTIVATIONS: Catalogue[ActivationEntry] = Catalogue("activation")


def enter(**facts: Any) -> ActivationEntry:
    """Put an activation into the catalogue."""
    return ACTIVATIONS.add(ActivationEntry(**facts))
