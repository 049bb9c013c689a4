"""Gated units: the input times a smooth or straight step from 0 to 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from losslens.activations.entry import Activation, enter
from losslens.vocabulary.quantities import Choice, Interval, Option

_FLAT_FROM = 20.0  # where the tanh form of gelu is x, or 0, to the last bit
_HE = "He: like a rectifier's, with the gain in place of the factor 2."


def _gelu(x: Tensor, *, approximate: str) -> Tensor:
    if approximate == "none":
        return functional.gelu(x)
    near = functional.gelu(x.clamp(-_FLAT_FROM, _FLAT_FROM), approximate=approximate)
    return torch.where(x.abs() < _FLAT_FROM, near, functional.relu(x))  # PyTorch's gradient is NaN where x^2 overflows


def _gelu_layer(approximate: str) -> nn.Module:
    return nn.GELU() if approximate == "none" else Activation("gelu", _gelu, {"approximate": approximate})


enter(
    name="gelu",
    summary="Gaussian error linear unit: the input times the share of a normal distribution below it.",
    formula=r"x\,\Phi(x)",
    derivative=r"\Phi(x) + x\,\phi(x)",
    options={"approximate": Option("none", Choice(("none", "tanh")))},
    compute=_gelu,
    make=_gelu_layer,
    range=Interval(-0.16997120747990366),
    monotone=False,
    gain=1.5335304411955353,
    lipschitz=1.1289041451851547,
    initialisation=_HE,
    use="In transformers; the tanh form where weights were trained with it.",
    failure="Costs more than a rectifier; its two forms differ by up to about 5e-4 and should not be mixed.",
    reference="Hendrycks and Gimpel, Gaussian error linear units, arXiv 1606.08415, 2016",
    example='>>> losslens.ACTIVATIONS["gelu"].function(torch.tensor([-1.0, 2.0]))\ntensor([-0.1587,  1.9545])',
)


def _silu(x: Tensor) -> Tensor:
    return functional.silu(x)


enter(
    name="silu",
    aliases=("swish",),
    summary="Sigmoid linear unit: the input times its sigmoid; smooth, with a shallow dip below zero.",
    formula=r"x / (1 + e^{-x})",
    derivative=r"\sigma(x)\,(1 + x\,(1 - \sigma(x)))",
    compute=_silu,
    make=nn.SiLU,
    range=Interval(-0.2784645427610738),
    monotone=False,
    gain=1.676532470331091,
    lipschitz=1.099839320128867,
    initialisation=_HE,
    use="As a smooth rectifier in deep networks.",
    failure="Its dip gives two inputs for one small negative value, so that it has no inverse.",
    reference="Hendrycks and Gimpel, arXiv 1606.08415, 2016; Elfwing, Uchibe and Doya, Neural Networks 107, 2018",
    example='>>> losslens.ACTIVATIONS["silu"].function(torch.tensor([-1.0, 2.0]))\ntensor([-0.2689,  1.7616])',
)


def _mish(x: Tensor) -> Tensor:
    return functional.mish(x)


enter(
    name="mish",
    summary="The input times the hyperbolic tangent of its softplus; smooth, with a dip below zero.",
    formula=r"x\,\tanh(\log(1 + e^x))",
    derivative=r"\tanh(s) + x\,\sigma(x)\,(1 - \tanh^2(s)), \qquad s = \log(1 + e^x)",
    compute=_mish,
    make=nn.Mish,
    range=Interval(-0.30884341301725043),
    monotone=False,
    gain=1.4868475812732081,
    lipschitz=1.0884981612517279,
    initialisation=_HE,
    use="As a smooth rectifier in deep networks, most often of images.",
    failure="The dearest of the smooth rectifiers: an exponential, a logarithm and a hyperbolic tangent.",
    reference="Misra, BMVC 2020",
    example='>>> losslens.ACTIVATIONS["mish"].function(torch.tensor([-1.0, 2.0]))\ntensor([-0.3034,  1.9440])',
)


def _hardswish(x: Tensor) -> Tensor:
    return functional.hardswish(x)


enter(
    name="hardswish",
    summary="The input times a straight step from 0 at -3 to 1 at 3: silu without an exponential.",
    formula=r"x\,\min(\max(x + 3, 0), 6) / 6",
    derivative=r"(2\,x + 3) / 6 \text{ if } -3 < x < 3 \text{ else } 1 \text{ if } x > 3 \text{ else } 0",
    compute=_hardswish,
    make=nn.Hardswish,
    range=Interval(-0.375),
    monotone=False,
    smoothness="C0",
    kinks=(-3.0, 3.0),
    can_die=True,
    gain=1.7366572127665416,
    lipschitz=1.5,
    initialisation=_HE,
    use="In place of silu on devices where an exponential is dear.",
    failure="Below -3 there is no gradient at all, so that units can die.",
    reference="Howard et al., Searching for MobileNetV3, ICCV 2019",
    example='>>> losslens.ACTIVATIONS["hardswish"].function(torch.tensor([-1.0, 2.0]))\ntensor([-0.3333,  1.6667])',
)
