"""Sigmoids: odd or logistic steps between two bounds, and the logistic function's logarithm."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from losslens.activations.entry import MARGIN, enter
from losslens.vocabulary.quantities import Interval

_GLOROT = "Glorot: variance 2 / (fan-in + fan-out), so that inputs start where it is steep."


def inverse_tanh(value: Tensor) -> Tensor:
    """Inverse hyperbolic tangent; values within 1e-6 of an end, or beyond it, count as that far inside.

    >>> torch.tanh(inverse_tanh(torch.tensor([-2.0, 0.5])))
    tensor([-1.0000,  0.5000])
    """
    return torch.atanh(value.clamp(MARGIN - 1.0, 1.0 - MARGIN))


def inverse_sigmoid(value: Tensor) -> Tensor:
    r"""Logit :math:`\log(y / (1 - y))`; values within 1e-6 of an end, or beyond it, count as that far inside.

    >>> inverse_sigmoid(torch.tensor([0.0, 0.5]))
    tensor([-13.8155,   0.0000])
    """
    return torch.logit(value, eps=MARGIN)


def _tanh(x: Tensor) -> Tensor:
    return torch.tanh(x)


enter(
    name="tanh",
    summary="Hyperbolic tangent: odd and bounded; as an output for data in [-1, 1].",
    formula=r"\tanh(x)",
    derivative=r"1 - \tanh^2(x)",
    compute=_tanh,
    make=nn.Tanh,
    range=Interval(-1.0, 1.0),
    zero_centred=True,
    saturates="both",
    gain=1.5925374197228315,
    pytorch_gain=5.0 / 3.0,
    lipschitz=1.0,
    initialisation=_GLOROT,
    use="In small networks that need smooth, centred values, and as the output for data in [-1, 1].",
    failure="Large inputs get hardly any gradient, so that deep stacks learn slowly.",
    reference="LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998",
    example='>>> losslens.ACTIVATIONS["tanh"].function(torch.tensor([-1.0, 2.0]))\ntensor([-0.7616,  0.9640])',
    output=True,
    inverse=inverse_tanh,
)


def _sigmoid(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


enter(
    name="sigmoid",
    summary="Logistic function: as an output for data in [0, 1]; inside a network its gradient is at most 1/4.",
    formula=r"1 / (1 + e^{-x})",
    derivative=r"\sigma(x)\,(1 - \sigma(x))",
    compute=_sigmoid,
    make=nn.Sigmoid,
    range=Interval(0.0, 1.0),
    saturates="both",
    gain=1.8462285453386054,
    pytorch_gain=1.0,
    lipschitz=0.25,
    initialisation=_GLOROT,
    use="As the output for data in [0, 1] and for gates.",
    failure="Between layers it shrinks every gradient to a quarter at most, and its values are never centred.",
    reference="Verhulst, 1838, for growth; Rumelhart, Hinton and Williams, Nature 323, 1986, in networks",
    example='>>> losslens.ACTIVATIONS["sigmoid"].function(torch.tensor([-1.0, 2.0]))\ntensor([0.2689, 0.8808])',
    output=True,
    inverse=inverse_sigmoid,
)


def _softsign(x: Tensor) -> Tensor:
    return functional.softsign(x)


enter(
    name="softsign",
    summary="Odd and bounded like tanh, but nearing its bounds as slowly as 1/x.",
    formula=r"x / (1 + |x|)",
    derivative=r"1 / (1 + |x|)^2",
    compute=_softsign,
    make=nn.Softsign,
    range=Interval(-1.0, 1.0),
    zero_centred=True,
    smoothness="C1",
    kinks=(0.0,),
    saturates="both",
    gain=2.3375333631085397,
    lipschitz=1.0,
    initialisation=_GLOROT,
    use="In place of tanh where units saturate early in training.",
    failure="Its bounds are hardly reached, so that it is a poor output for data that lie at them.",
    reference="Elliott, University of Maryland report 93-8, 1993; Bergstra, Desjardins, Lamblin and Bengio, 2009",
    example='>>> losslens.ACTIVATIONS["softsign"].function(torch.tensor([-1.0, 3.0]))\ntensor([-0.5000,  0.7500])',
)


def _log_sigmoid(x: Tensor) -> Tensor:
    return functional.logsigmoid(x)


enter(
    name="log_sigmoid",
    summary="Logarithm of the logistic function: a log probability, exact where the sigmoid rounds to 0.",
    formula=r"-\log(1 + e^{-x})",
    derivative=r"1 / (1 + e^x)",
    compute=_log_sigmoid,
    make=nn.LogSigmoid,
    range=Interval(high=0.0),
    saturates="right",
    gain=1.0418668355353018,
    lipschitz=1.0,
    initialisation=_GLOROT,
    use="For log probabilities of binary outcomes inside a loss.",
    failure="Between layers its values are all negative and unbounded.",
    reference="none needed: the logarithm of the logistic function",
    example='>>> losslens.ACTIVATIONS["log_sigmoid"].function(torch.tensor([-100.0, 0.0]))\n'
    "tensor([-100.0000,   -0.6931])",
)
