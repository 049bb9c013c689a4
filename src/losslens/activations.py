r"""Activations: PyTorch's own implementations, with the facts that decide where each is of use.

Facts speak of the real function, not of its rounded values: ``tanh`` saturates but cannot die, although in
float32 its gradient is zero from about 9 on. Constants are given to as many digits as a float holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from losslens.vocabulary.catalogue import Catalogue
from losslens.vocabulary.quantities import Interval

_MARGIN = 1e-6  # an inverse stays this far inside an open end: float32 resolves it, and no bias becomes huge
_LINEAR_FROM = 40.0  # where softplus(x) is x to the last bit of a float64; PyTorch's own 20 leaves a step of 2e-9


@dataclass(frozen=True, kw_only=True)
class ActivationEntry:
    """The facts about one activation.

    - ``range``: the closure of the values it takes.
    - ``monotone``: never decreasing.
    - ``zero_centred``: standard normal inputs give outputs of mean zero.
    - ``smoothness``: how often it can be differentiated, everywhere but at no point of ``kinks``.
    - ``saturates``: at which end the derivative tends to zero, so that gradients fade.
    - ``can_die``: the derivative is zero on a whole half line; a unit that lands there may never return.
    - ``gain``: the factor on initial weights that keeps the mean square of a layer from growing or fading,
      ``1 / sqrt(E f(z)^2)`` for standard normal z (He et al., ICCV 2015).
    - ``lipschitz``: the largest absolute derivative.
    - ``output``: of use as the last layer, the link from a network to data in ``range``.
    - ``inverse``: for outputs, the pre-activation of a value, taken just inside an open end of the range.
    """

    name: str
    summary: str
    formula: str
    function: Callable[[Tensor], Tensor]
    module: Callable[[], nn.Module]
    range: Interval
    gain: float
    aliases: tuple[str, ...] = ()
    monotone: bool = True
    zero_centred: bool = False
    smoothness: Literal["C0", "C1", "C-infinity"] = "C-infinity"
    kinks: tuple[float, ...] = ()
    saturates: Literal["left", "right", "both", "none"] = "left"
    can_die: bool = False
    lipschitz: float = 1.0
    output: bool = False
    inverse: Callable[[Tensor], Tensor] | None = None

    @property
    def bounded(self) -> bool:
        """Whether the values lie in a finite interval."""
        return math.isfinite(self.range.low) and math.isfinite(self.range.high)


ACTIVATIONS: Catalogue[ActivationEntry] = Catalogue("activation")


def identity(x: Tensor) -> Tensor:
    """The input itself."""
    return x


def inverse_softplus(value: Tensor) -> Tensor:
    r"""Pre-activation :math:`\log(e^y - 1)` of a softplus output; values at or below zero count as 1e-6.

    >>> functional.softplus(inverse_softplus(torch.tensor([0.0, 2.0])))
    tensor([1.0000e-06, 2.0000e+00])
    """
    value = value.clamp_min(_MARGIN)
    return value + torch.log(-torch.expm1(-value))


def inverse_sigmoid(value: Tensor) -> Tensor:
    r"""Logit :math:`\log(y / (1 - y))`; values within 1e-6 of an end, or beyond it, count as that far inside.

    >>> inverse_sigmoid(torch.tensor([0.0, 0.5]))
    tensor([-13.8155,   0.0000])
    """
    return torch.logit(value, eps=_MARGIN)


def inverse_tanh(value: Tensor) -> Tensor:
    """Inverse hyperbolic tangent; values within 1e-6 of an end, or beyond it, count as that far inside.

    >>> torch.tanh(inverse_tanh(torch.tensor([-2.0, 0.5])))
    tensor([-1.0000,  0.5000])
    """
    return torch.atanh(value.clamp(_MARGIN - 1.0, 1.0 - _MARGIN))


ACTIVATIONS.add(
    ActivationEntry(
        name="linear",
        aliases=("identity",),
        summary="No activation: what goes in comes out; the output for data of any sign and size.",
        formula=r"x",
        function=identity,
        module=nn.Identity,
        range=Interval(),
        zero_centred=True,
        saturates="none",
        gain=1.0,
        output=True,
        inverse=identity,
    )
)
ACTIVATIONS.add(
    ActivationEntry(
        name="relu",
        summary="Rectifier: cheap and sparse; a unit that is negative for every sample gets no gradient.",
        formula=r"\max(x, 0)",
        function=functional.relu,
        module=nn.ReLU,
        range=Interval(0.0),
        smoothness="C0",
        kinks=(0.0,),
        can_die=True,
        gain=math.sqrt(2.0),
    )
)
ACTIVATIONS.add(
    ActivationEntry(
        name="leaky_relu",
        summary="Rectifier with slope 0.01 below zero, so that no unit dies.",
        formula=r"\max(x, x/100)",
        function=functional.leaky_relu,
        module=nn.LeakyReLU,
        range=Interval(),
        smoothness="C0",
        kinks=(0.0,),
        saturates="none",
        gain=math.sqrt(2.0 / (1.0 + 0.01**2)),
    )
)
ACTIVATIONS.add(
    ActivationEntry(
        name="elu",
        summary="Exponential linear unit: a rectifier whose negative side bends smoothly down to -1.",
        formula=r"x \text{ if } x > 0 \text{ else } e^x - 1",
        function=functional.elu,
        module=nn.ELU,
        range=Interval(-1.0),
        smoothness="C1",
        kinks=(0.0,),
        gain=1.2451983007007066,
    )
)
ACTIVATIONS.add(
    ActivationEntry(
        name="selu",
        summary="Scaled exponential unit: its constants keep mean 0 and variance 1 from layer to layer.",
        formula=r"1.0507\,x \text{ if } x > 0 \text{ else } 1.7581\,(e^x - 1)",
        function=functional.selu,
        module=nn.SELU,
        range=Interval(-1.7580993408473768),
        zero_centred=True,
        smoothness="C0",
        kinks=(0.0,),
        gain=1.0,
        lipschitz=1.7580993408473768,
    )
)
ACTIVATIONS.add(
    ActivationEntry(
        name="gelu",
        summary="Gaussian error linear unit: the input times the share of a normal distribution below it.",
        formula=r"x\,\Phi(x)",
        function=functional.gelu,
        module=nn.GELU,
        range=Interval(-0.16997120747990366),
        monotone=False,
        gain=1.5335304411955353,
        lipschitz=1.1289041451851547,
    )
)
ACTIVATIONS.add(
    ActivationEntry(
        name="silu",
        aliases=("swish",),
        summary="Sigmoid linear unit: the input times its sigmoid; smooth, with a shallow dip below zero.",
        formula=r"x / (1 + e^{-x})",
        function=functional.silu,
        module=nn.SiLU,
        range=Interval(-0.2784645427610738),
        monotone=False,
        gain=1.676532470331091,
        lipschitz=1.099839320128867,
    )
)
ACTIVATIONS.add(
    ActivationEntry(
        name="tanh",
        summary="Hyperbolic tangent: odd and bounded; as an output for data in [-1, 1].",
        formula=r"\tanh x",
        function=torch.tanh,
        module=nn.Tanh,
        range=Interval(-1.0, 1.0),
        zero_centred=True,
        saturates="both",
        gain=1.5925374197228315,
        output=True,
        inverse=inverse_tanh,
    )
)
ACTIVATIONS.add(
    ActivationEntry(
        name="sigmoid",
        summary="Logistic function: as an output for data in [0, 1]; inside a network its gradient is at most 1/4.",
        formula=r"1 / (1 + e^{-x})",
        function=torch.sigmoid,
        module=nn.Sigmoid,
        range=Interval(0.0, 1.0),
        saturates="both",
        gain=1.8462285453386054,
        lipschitz=0.25,
        output=True,
        inverse=inverse_sigmoid,
    )
)
ACTIVATIONS.add(
    ActivationEntry(
        name="softplus",
        summary="Smooth rectifier: always positive; as an output for non-negative data.",
        formula=r"\log(1 + e^x)",
        function=partial(functional.softplus, threshold=_LINEAR_FROM),
        module=partial(nn.Softplus, threshold=_LINEAR_FROM),
        range=Interval(0.0),
        gain=1.0418668355353018,
        output=True,
        inverse=inverse_softplus,
    )
)
