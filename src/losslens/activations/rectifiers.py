"""Rectifiers: two half lines that meet at zero."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from losslens.activations.entry import enter
from losslens.vocabulary.quantities import Interval, Option, Range

_HE = "He: variance 2 / fan-in makes up for the half that is cut off."


def _relu(x: Tensor) -> Tensor:
    return functional.relu(x)


enter(
    name="relu",
    summary="Rectifier: cheap and sparse; a unit that is negative for every sample gets no gradient.",
    formula=r"\max(x, 0)",
    derivative=r"1 \text{ if } x > 0 \text{ else } 0",
    compute=_relu,
    make=nn.ReLU,
    range=Interval(0.0),
    smoothness="C0",
    kinks=(0.0,),
    can_die=True,
    gain=math.sqrt(2.0),
    lipschitz=1.0,
    initialisation=_HE,
    use="The first choice between the layers of a network that is not very deep.",
    failure="A unit that is negative for every sample gets no gradient and stays dead.",
    reference="Fukushima, IEEE Transactions on Systems Science and Cybernetics 5, 1969; Nair and Hinton, ICML 2010",
    example='>>> losslens.ACTIVATIONS["relu"].function(torch.tensor([-1.0, 2.0]))\ntensor([0., 2.])',
)


def _leaky_relu(x: Tensor, *, slope: float) -> Tensor:
    return functional.leaky_relu(x, slope)


def _leaky_layer(slope: float) -> nn.Module:
    return nn.LeakyReLU(slope)


enter(
    name="leaky_relu",
    summary="Rectifier with slope 0.01 below zero, so that no unit dies.",
    formula=r"\max(x, slope\,x)",
    derivative=r"1 \text{ if } x > 0 \text{ else } slope",
    options={"slope": Option(0.01, Range(0.0, 1.0))},
    compute=_leaky_relu,
    make=_leaky_layer,
    range=Interval(),
    smoothness="C0",
    kinks=(0.0,),
    saturates="none",
    gain=math.sqrt(2.0 / (1.0 + 0.01**2)),
    lipschitz=1.0,
    initialisation="He: variance 2 / ((1 + slope^2) fan-in).",
    use="Where units of a rectifier are found to die.",
    failure="With a slope as small as the default a negative unit comes back only slowly.",
    reference="Maas, Hannun and Ng, ICML workshop on deep learning for audio, speech and language, 2013",
    example='>>> losslens.ACTIVATIONS["leaky_relu"].function(torch.tensor([-1.0, 2.0]), slope=0.2)\n'
    "tensor([-0.2000,  2.0000])",
)


def _prelu(x: Tensor, *, init: float, num_parameters: int, weight: Tensor | None = None) -> Tensor:
    if weight is None:
        weight = torch.full((num_parameters,), init, dtype=x.dtype, device=x.device)
    return functional.prelu(x, weight)


enter(
    name="prelu",
    summary="Rectifier whose slope below zero is learned, one for all or one for each channel.",
    formula=r"\max(x, 0) + init\,\min(x, 0)",
    derivative=r"1 \text{ if } x > 0 \text{ else } init",
    options={"init": Option(0.25, Range(0.0, 1.0)), "num_parameters": Option(1, Range(1, 65536))},
    learned=("weight",),
    compute=_prelu,
    make=nn.PReLU,
    range=Interval(),
    smoothness="C0",
    kinks=(0.0,),
    saturates="none",
    gain=1.3719886811400707,
    lipschitz=1.0,
    initialisation="He: variance 2 / ((1 + init^2) fan-in).",
    use="Where there are data enough to learn the slope; weight decay should leave it alone.",
    failure="A slope learned to be negative makes it non-monotone, and one above 1 steeper than the identity.",
    reference="He, Zhang, Ren and Sun, ICCV 2015",
    example='>>> losslens.ACTIVATIONS["prelu"].function(torch.tensor([-1.0, 2.0]), weight=torch.tensor([0.5]))\n'
    "tensor([-0.5000,  2.0000])",
)


def _relu6(x: Tensor) -> Tensor:
    return functional.relu6(x)


enter(
    name="relu6",
    summary="Rectifier that ends at 6, so that values fit into few bits.",
    formula=r"\min(\max(x, 0), 6)",
    derivative=r"1 \text{ if } 0 < x < 6 \text{ else } 0",
    compute=_relu6,
    make=nn.ReLU6,
    range=Interval(0.0, 6.0),
    smoothness="C0",
    kinks=(0.0, 6.0),
    saturates="both",
    can_die=True,
    gain=1.4142135650950736,
    lipschitz=1.0,
    initialisation=_HE,
    use="In networks that are to run with few bits for a number.",
    failure="Units above 6 for every sample get no gradient, like those below zero.",
    reference="Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010",
    example='>>> losslens.ACTIVATIONS["relu6"].function(torch.tensor([-1.0, 2.0, 9.0]))\ntensor([0., 2., 6.])',
)
