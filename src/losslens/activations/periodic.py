"""Periodic activations: for signals, and for data that repeat."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from losslens.activations.entry import enter
from losslens.vocabulary.quantities import Interval, Option, Range


def _wide(x: Tensor) -> Tensor:
    """At least float32: eight bits of a phase beyond a few radians would leave nothing of it."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _sine(x: Tensor, *, omega: float) -> Tensor:
    return torch.sin(omega * _wide(x)).to(x.dtype)


enter(
    name="sine",
    aliases=("siren",),
    summary="Sine of a high frequency: fits fine detail of signals, and derivatives of all orders.",
    formula=r"\sin(omega\,x)",
    derivative=r"omega\,\cos(omega\,x)",
    options={"omega": Option(30.0, Range(1.0, 100.0, log=True))},
    compute=_sine,
    range=Interval(-1.0, 1.0),
    monotone=False,
    zero_centred=True,
    saturates="none",
    gain=math.sqrt(2.0),
    lipschitz=30.0,
    initialisation="SIREN: uniform within sqrt(6 / fan-in) / omega, in the first layer within 1 / fan-in.",
    use="For networks from coordinates to a signal: images, sound, fields.",
    failure="With any other initialisation it hardly trains, and it does not extrapolate.",
    reference="Sitzmann, Martel, Bergman, Lindell and Wetzstein, NeurIPS 2020",
    example='>>> losslens.ACTIVATIONS["sine"].function(torch.tensor([0.0, 0.05]))\ntensor([0.0000, 0.9975])',
)


def _snake(x: Tensor, *, a: float) -> Tensor:
    wide = _wide(x)
    return (wide + torch.sin(a * wide).square() / a).to(x.dtype)


enter(
    name="snake",
    summary="The input plus a squared sine: learns what repeats and still rises like the identity.",
    formula=r"x + \sin^2(a\,x) / a",
    derivative=r"1 + \sin(2\,a\,x)",
    options={"a": Option(1.0, Range(0.1, 50.0, log=True))},
    compute=_snake,
    range=Interval(),
    saturates="none",
    gain=0.8745809829313702,
    lipschitz=2.0,
    initialisation="He: variance gain^2 / fan-in keeps the size of values.",
    use="For data that repeat in time and must be continued beyond what was seen.",
    failure="The frequency a must be near that of the data; far inputs lose their phase to rounding.",
    reference="Ziyin, Hartwig and Ueda, NeurIPS 2020",
    example='>>> losslens.ACTIVATIONS["snake"].function(torch.tensor([-1.0, 2.0]))\ntensor([-0.2919,  2.8268])',
)
