"""Straight lines: no activation, and values clipped to an interval."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from losslens.activations.entry import Activation, enter
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Interval, Option, Range


def identity(x: Tensor) -> Tensor:
    """The input itself."""
    return x


def _scaled(x: Tensor, *, slope: float) -> Tensor:
    return x if slope == 1.0 else x * slope


def _scaling(slope: float) -> nn.Module:
    return nn.Identity() if slope == 1.0 else Activation("linear", _scaled, {"slope": slope})


enter(
    name="linear",
    aliases=("identity",),
    summary="No activation: what goes in comes out; the output for data of any sign and size.",
    formula=r"slope\,x",
    derivative=r"slope",
    options={"slope": Option(1.0, Range(1e-3, 1e3, log=True))},
    compute=_scaled,
    make=_scaling,
    range=Interval(),
    zero_centred=True,
    saturates="none",
    keeps_moments=True,
    gain=1.0,
    lipschitz=1.0,
    initialisation="LeCun: variance 1 / fan-in keeps the size of values.",
    use="As the output for data of any sign and size, and between layers where a linear model is wanted.",
    failure="Layers with nothing but this between them are together one linear layer.",
    reference="none needed: the identity",
    example='>>> losslens.ACTIVATIONS["linear"].function(torch.tensor([-1.0, 2.0]), slope=3.0)\ntensor([-3.,  6.])',
    output=True,
    inverse=identity,
)


def _ordered(min: float, max: float) -> None:
    if not min < max:
        raise BadInput(expected="min below max for clip", found=f"{min:g} and {max:g}", remedy="Give both, in order.")


def _clip(x: Tensor, *, min: float, max: float) -> Tensor:
    _ordered(min, max)
    return functional.hardtanh(x, min, max)


def _clipping(min: float, max: float) -> nn.Module:
    _ordered(min, max)
    return nn.Hardtanh(min, max)


enter(
    name="clip",
    aliases=("hardtanh",),
    summary="Bounded value clipping: the input, held between two bounds.",
    formula=r"\min(\max(x, min), max)",
    derivative=r"1 \text{ if } min < x < max \text{ else } 0",
    options={"min": Option(-1.0, Range(-1e6, 1e6)), "max": Option(1.0, Range(-1e6, 1e6))},
    compute=_clip,
    make=_clipping,
    range=Interval(-1.0, 1.0),
    zero_centred=True,
    smoothness="C0",
    kinks=(-1.0, 1.0),
    saturates="both",
    can_die=True,
    gain=1.3920361404483098,
    lipschitz=1.0,
    initialisation="Glorot: inputs should start well within the bounds.",
    use="To keep values within known bounds exactly, at the cost of one comparison.",
    failure="Beyond the bounds there is no gradient, so a unit that leaves them may never return.",
    reference="Collobert, Large scale machine learning, PhD thesis, 2004",
    example='>>> losslens.ACTIVATIONS["clip"].function(torch.tensor([-9.0, 0.5]), min=0.0)\ntensor([0.0000, 0.5000])',
)
