"""The likelihood of directions, in nats per profile."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from losslens.losses.family import PROFILE_LIKELIHOOD, Parameter, loss
from losslens.losses.profile import chord, count, present
from losslens.vocabulary.quantities import Range

_STEPS = 60  # of the recurrence: up to an order where the uniform expansion is exact to 1e-11


@loss(
    PROFILE_LIKELIHOOD,
    minimum=None,
    units="nats",
    elicits="direction of the mean of the normalised profiles",
    scale_invariant=True,
    convex=False,
    reference="Mardia and Jupp, Directional Statistics, 2000",
    use="When directions are the data, and how sharply they are known is to be learned.",
    failure="It leaves the magnitude free, and its nats compare with no density of whole profiles.",
    torch_line="lambda output, target: (concentration * (1 - torch.nn.functional.cosine_similarity(output, target))"
    " - losslens.losses.directions.log_constant(concentration, torch.tensor(float(output.shape[1])))).mean()",
)
def von_mises_fisher(
    output: Tensor,
    target: Tensor,
    *,
    mask: Tensor | None = None,
    concentration: Annotated[Tensor, Parameter(10.0, "all", Range(1e-2, 1e6, log=True))],
) -> Tensor:
    r"""Density of directions around the output's: the likelihood behind the cosine loss.

    .. math:: -\kappa \cos(\hat x, x) - \log C_G(\kappa), \qquad
              C_G(\kappa) = \frac{\kappa^{G/2 - 1}}{(2\pi)^{G/2} I_{G/2 - 1}(\kappa)}

    Shapes: (batch, features) twice and one concentration -> (batch,). A density over the unit sphere, so that its nats
    compare with no density of whole profiles. The learned concentration says how sharp directions are known.
    Zero rows as in :func:`cosine`.

    >>> losslens.von_mises_fisher(torch.ones(1, 3), torch.ones(1, 3), concentration=torch.tensor(10.0))
    tensor(-0.4647)
    """
    apart = chord(present(output, mask), present(target, mask))
    constant = log_constant(concentration, count(output, mask))
    return concentration * apart - constant.to(apart.dtype)


def log_constant(concentration: Tensor, features: Tensor) -> Tensor:
    r""":math:`\log C_G(\kappa) + \kappa`: with the exponential taken out, so that digits are kept where it is large.

    >>> log_constant(torch.tensor(1e-2), torch.tensor(3.0)) + math.log(4 * math.pi) < 0.011  # a sphere's surface
    tensor(True)
    """
    kappa, order = concentration.double(), features.double() / 2.0 - 1.0
    return order * kappa.log() - (order + 1.0) * math.log(2.0 * math.pi) - log_scaled_bessel(order, kappa)


def log_scaled_bessel(order: Tensor, x: Tensor) -> Tensor:
    r""":math:`\log\bigl(e^{-x} I_\nu(x)\bigr)` for orders from -1/2 and positive x, exact to about 1e-11.

    The uniform expansion in the order, sixty orders higher up, and the ratios of neighbours down from there.

    >>> order, x = torch.tensor([0.0, 2.0], dtype=torch.float64)
    >>> bool((log_scaled_bessel(order, x) - torch.special.i0e(x).log()).abs() < 1e-10)
    True
    """
    top = order + _STEPS
    high = _log_uniform(top, x)
    ratio = (high - _log_uniform(top + 1.0, x)).exp()  # of order k to order k + 1
    total = high
    for step in range(_STEPS, 0, -1):
        ratio = 2.0 * (order + step) / x + 1.0 / ratio
        total = total + ratio.log()
    return total


def _log_uniform(order: Tensor, x: Tensor) -> Tensor:
    """Debye's expansion, for large orders and any x, less x."""
    root = torch.hypot(order, x)
    p = order / root
    exponent = order * order / (root + x) + order * (x / (order + root)).log()
    series = torch.ones_like(p)
    for power, (divisor, coefficients) in enumerate(_DEBYE, start=1):
        polynomial = torch.zeros_like(p)
        for coefficient in reversed(coefficients):
            polynomial = polynomial * p * p + coefficient
        series = series + polynomial * p**power / (divisor * order**power)
    return exponent - 0.5 * (2.0 * math.pi * root).log() + series.log()


# Divisor and coefficients of p^k, p^(k+2), ... of the polynomials of Debye's expansion (DLMF 10.41.9).
_DEBYE = (
    (24.0, (3.0, -5.0)),
    (1152.0, (81.0, -462.0, 385.0)),
    (414720.0, (30375.0, -369603.0, 765765.0, -425425.0)),
    (39813120.0, (4465125.0, -94121676.0, 349922430.0, -446185740.0, 185910725.0)),
    (
        6688604160.0,
        (1519035525.0, -49286948607.0, 284499769554.0, -614135872350.0, 566098157625.0, -188699385875.0),
    ),
)
