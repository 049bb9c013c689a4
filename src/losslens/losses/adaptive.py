"""A likelihood whose robustness is learned from the data."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from losslens.losses.family import LIKELIHOOD, Parameter, loss
from losslens.losses.robust import general
from losslens.vocabulary.quantities import Range

_NODES, _REACH = 400, 4.6  # of the double-exponential rule: below shape 0.1 tails are long


@loss(
    LIKELIHOOD,
    minimum=None,
    units="nats",
    elicits="between mean and median",
    reference="Barron, CVPR 2019",
    use="When it is not known how heavy the tails are: shape and scale are learned.",
    failure="One shape for all features is a compromise where some are clean and others full of outliers.",
    torch_line="lambda output, target: (losslens.barron(output / scale, target / scale, shape=float(shape),"
    ' reduction="none") + scale.log() + losslens.losses.adaptive.log_partition(shape)).sum(1).mean()',
)
def adaptive_robust(
    output: Tensor,
    target: Tensor,
    *,
    shape: Annotated[Tensor, Parameter(1.0, "all", Range(0.1, 2.0))],
    scale: Annotated[Tensor, Parameter(1.0, "all", Range(1e-4, 1e4, log=True))],
) -> Tensor:
    r"""The density behind :func:`barron`: how much outliers count is learned with the network.

    .. math:: \rho\!\left(\frac{x - \mu}{s}, a\right) + \log s + \log \int e^{-\rho(t, a)}\,dt

    Shapes: output and target alike, any. Shape 2 is the gaussian, towards 0 tails like those of the Cauchy
    distribution. Without the last term every shape could be had for nothing, and the most forgiving would win.

    >>> one = torch.ones(1, 1)
    >>> losslens.adaptive_robust(0 * one, one, shape=torch.tensor(2.0), scale=torch.tensor(1.0))
    tensor(1.4189)
    """
    return general((output - target) / scale, shape) + scale.log() + log_partition(shape)


def log_partition(shape: Tensor) -> Tensor:
    r"""Logarithm of :math:`\int e^{-\rho(t, a)}\,dt`, by one quadrature for all shapes from 0.1 to 4.

    >>> bool((log_partition(torch.tensor(2.0)) - math.log(2 * math.pi) / 2).abs() < 1e-6)
    True
    """
    points, weights = _rule(shape.device)
    exact = shape.double().unsqueeze(-1)
    return ((-general(points, exact)).exp() * weights).sum(-1).log().to(shape.dtype)


def _rule(device: torch.device) -> tuple[Tensor, Tensor]:
    """Points and weights over the real line: equal steps under a doubly exponential change of variable."""
    step = 2.0 * _REACH / _NODES
    place = torch.linspace(-_REACH, _REACH, _NODES + 1, dtype=torch.float64, device=device)
    inner = math.pi / 2.0 * place.sinh()
    return inner.sinh(), step * math.pi / 2.0 * place.cosh() * inner.cosh()
