"""Asymmetric pointwise losses: too much and too little cost differently."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from losslens.losses.family import POINTWISE, loss
from losslens.vocabulary.quantities import Range

Level = Annotated[float, Range(0.01, 0.99)]


@loss(
    POINTWISE,
    units="data units",
    elicits="quantile",
    smoothness="C0",
    reference="Koenker and Bassett, Econometrica 46, 1978",
    use="When too little and too much cost differently, or two levels are to make an interval.",
    failure="Levels that are trained apart may cross, and extreme levels need many samples.",
    torch_line="lambda output, target: torch.maximum({level:g} * (target - output),"
    " ({level:g} - 1) * (target - output)).mean()",
)
def quantile(output: Tensor, target: Tensor, *, level: Level = 0.9) -> Tensor:
    r"""Pinball loss: elicits the value that a share ``level`` of the data stays below.

    .. math:: \max\bigl(\tau e, (\tau - 1) e\bigr), \qquad e = x - \hat x

    Shapes: output and target alike, any. At level 0.5 half the absolute error. Two levels make an interval.

    >>> losslens.quantile(torch.tensor([0.0, 0.0]), torch.tensor([1.0, -1.0]), reduction="none")
    tensor([0.9000, 0.1000])
    """
    short = target - output
    return torch.maximum(level * short, (level - 1.0) * short)


@loss(
    POINTWISE,
    units="data units squared",
    elicits="expectile",
    smoothness="C1",
    reference="Newey and Powell, Econometrica 55, 1987",
    use="When a smooth loss is to weigh shortfall and excess differently.",
    failure="An expectile is no share of the data, and outliers move it as they move the mean.",
    torch_line="lambda output, target: (abs({level:g} - (target < output).to(output.dtype))"
    " * (target - output)**2).mean()",
)
def expectile(output: Tensor, target: Tensor, *, level: Level = 0.9) -> Tensor:
    r"""Squared error that weighs shortfall and excess differently: the smooth relative of the quantile.

    .. math:: |\tau - [e < 0]|\, e^2, \qquad e = x - \hat x

    Shapes: output and target alike, any. At level 0.5 half the squared error, which elicits the mean.

    >>> losslens.expectile(torch.tensor([0.0, 0.0]), torch.tensor([1.0, -1.0]), reduction="none")
    tensor([0.9000, 0.1000])
    """
    short = target - output
    return short * torch.where(short >= 0.0, level * short, (1.0 - level) * short)
