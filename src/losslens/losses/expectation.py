r"""The expected logarithm of a count, exactly: what a count model predicts in log space.

A distribution's mean :math:`\mu` is not its prediction of :math:`\log(1 + c x)`: by Jensen's inequality
:math:`\log(1 + c\mu)` lies above, most of all where counts are small. With
:math:`\log(1+y) = \int_0^\infty (1 - e^{-yt})\, e^{-t}\, dt/t` the expectation needs only the Laplace transform
:math:`E\,e^{-sx}`, which every count likelihood of the catalogue has in closed form; with :math:`t = e^u`
the integrand is smooth and falls off exponentially at both ends, so that equal steps in u converge fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_STEP = 0.5
_LAST = 3.8  # exp(-exp(3.8)) < 1e-19


def expected_log1p(log_laplace: Callable[[Tensor], Tensor], scale: Tensor, largest: float) -> Tensor:
    r"""Expectation of :math:`\log(1 + c x)` for a count x.

    ``log_laplace(s)`` is :math:`\log E\,e^{-sx}`, of shape (batch, features) for s of shape (batch, 1);
    ``scale`` is c, of shape (batch, 1); ``largest`` bounds c times the mean. Absolute error below 1e-6.

    >>> rate = torch.full((1, 1), 2.0, dtype=torch.float64)
    >>> value = expected_log1p(lambda s: rate * torch.expm1(-s), torch.ones(1, 1, dtype=torch.float64), 2.0)
    >>> exact = sum(math.exp(-2) * 2**x / math.factorial(x) * math.log1p(x) for x in range(60))
    >>> abs(float(value) - exact) < 1e-6
    True
    """
    first = -16.0 - math.log(max(largest, 1.0))
    steps = math.ceil((_LAST - first) / _STEP)
    total: Tensor | None = None
    for step in range(steps + 1):
        u = first + step * _STEP
        part = torch.expm1(log_laplace(scale * math.exp(u))) * (-_STEP * math.exp(-math.exp(u)))
        total = part if total is None else total.add_(part)
    assert total is not None
    return total
