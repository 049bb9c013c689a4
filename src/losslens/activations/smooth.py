"""Smoothed rectifiers: an exponential or logarithmic bend below zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from losslens.activations.entry import MARGIN, Activation, enter
from losslens.vocabulary.quantities import Interval, Option, Range

_LINEAR_FROM = 40.0  # where softplus(x) is x to the last bit of a float64; PyTorch's own 20 leaves a step of 2e-9
_ALPHA = Option(1.0, Range(1e-2, 1e2, log=True))


def inverse_softplus(value: Tensor) -> Tensor:
    r"""Pre-activation :math:`\log(e^y - 1)` of a softplus output; values at or below zero count as 1e-6.

    >>> functional.softplus(inverse_softplus(torch.tensor([0.0, 2.0])))
    tensor([1.0000e-06, 2.0000e+00])
    """
    value = value.clamp_min(MARGIN)
    return value + torch.log(-torch.expm1(-value))


def _softplus(x: Tensor, *, beta: float, threshold: float) -> Tensor:
    return functional.softplus(x, beta, threshold)


enter(
    name="softplus",
    summary="Smooth rectifier: always positive; as an output for non-negative data.",
    formula=r"\log(1 + e^{beta\,x}) / beta \text{ if } beta\,x \le threshold \text{ else } x",
    derivative=r"1 / (1 + e^{-beta\,x}) \text{ if } beta\,x \le threshold \text{ else } 1",
    options={
        "beta": Option(1.0, Range(1e-2, 1e2, log=True)),
        "threshold": Option(_LINEAR_FROM, Range(20.0, 80.0)),  # above 88 the exponential overflows in float32
    },
    compute=_softplus,
    make=nn.Softplus,
    range=Interval(0.0),
    gain=1.0418668355353018,
    lipschitz=1.0,
    initialisation="He: like a rectifier's, with the gain in place of the factor 2.",
    use="As the output for non-negative data, and for parameters that must be positive.",
    failure="Very negative inputs get hardly any gradient, and its values are never zero.",
    reference="Dugas, Bengio, Bélisle, Nadeau and Garcia, NeurIPS 2000",
    example='>>> losslens.ACTIVATIONS["softplus"].function(torch.tensor([-1.0, 50.0]))\ntensor([ 0.3133, 50.0000])',
    output=True,
    inverse=inverse_softplus,
)


def _elu(x: Tensor, *, alpha: float) -> Tensor:
    return functional.elu(x, alpha)


enter(
    name="elu",
    summary="Exponential linear unit: a rectifier whose negative side bends smoothly down to -1.",
    formula=r"x \text{ if } x > 0 \text{ else } alpha\,(e^x - 1)",
    derivative=r"1 \text{ if } x > 0 \text{ else } alpha\,e^x",
    options={"alpha": _ALPHA},
    compute=_elu,
    make=nn.ELU,
    range=Interval(-1.0),
    smoothness="C1",
    kinks=(0.0,),
    gain=1.2451983007007066,
    lipschitz=1.0,
    initialisation="He: like a rectifier's, with the gain in place of the factor 2.",
    use="Where negative values should pull the mean of a layer towards zero.",
    failure="With alpha other than 1 the slope jumps at zero.",
    reference="Clevert, Unterthiner and Hochreiter, ICLR 2016",
    example='>>> losslens.ACTIVATIONS["elu"].function(torch.tensor([-1.0, 2.0]), alpha=2.0)\n'
    "tensor([-1.2642,  2.0000])",
)


def _celu(x: Tensor, *, alpha: float) -> Tensor:
    # This is what functional.celu calls; its own gradient rounds alpha to float32.
    value: Tensor = torch.ops.aten.elu(x, alpha, 1.0, 1.0 / alpha)
    return value


def _celu_layer(alpha: float) -> nn.Module:
    return nn.CELU() if alpha == 1.0 else Activation("celu", _celu, {"alpha": alpha})


enter(
    name="celu",
    summary="Exponential linear unit whose slope never jumps, whatever alpha is.",
    formula=r"x \text{ if } x > 0 \text{ else } alpha\,(e^{x / alpha} - 1)",
    derivative=r"1 \text{ if } x > 0 \text{ else } e^{x / alpha}",
    options={"alpha": _ALPHA},
    compute=_celu,
    make=_celu_layer,
    range=Interval(-1.0),
    smoothness="C1",
    kinks=(0.0,),
    gain=1.2451983007007066,
    lipschitz=1.0,
    initialisation="He: like a rectifier's, with the gain in place of the factor 2.",
    use="In place of elu where alpha is not 1.",
    failure="With a small alpha it is a rectifier whose negative side has hardly any gradient.",
    reference="Barron, Continuously differentiable exponential linear units, arXiv 1704.07483, 2017",
    example='>>> losslens.ACTIVATIONS["celu"].function(torch.tensor([-1.0, 2.0]), alpha=2.0)\n'
    "tensor([-0.7869,  2.0000])",
)


def _selu(x: Tensor) -> Tensor:
    return functional.selu(x)


enter(
    name="selu",
    summary="Scaled exponential unit: its constants keep mean 0 and variance 1 from layer to layer.",
    formula=r"1.0507\,x \text{ if } x > 0 \text{ else } 1.7581\,(e^x - 1)",
    derivative=r"1.0507 \text{ if } x > 0 \text{ else } 1.7581\,e^x",
    compute=_selu,
    make=nn.SELU,
    range=Interval(-1.7580993408473768),
    zero_centred=True,
    smoothness="C0",
    kinks=(0.0,),
    keeps_moments=True,
    gain=1.0,
    pytorch_gain=0.75,
    lipschitz=1.7580993408473768,
    initialisation="LeCun normal: variance 1 / fan-in, which its fixed point takes for granted.",
    use="In deep stacks of linear layers on standardised inputs, without batch normalisation.",
    failure="Other initial weights, ordinary dropout or skip connections spoil its fixed point.",
    reference="Klambauer, Unterthiner, Mayr and Hochreiter, NeurIPS 2017",
    example='>>> losslens.ACTIVATIONS["selu"].function(torch.tensor([-1.0, 2.0]))\ntensor([-1.1113,  2.1014])',
)
