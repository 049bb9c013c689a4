"""Functions that losses share, in forms that keep their digits: no small difference of large numbers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_LARGE = 15.0  # from here on the series is exact to 2e-14


def sloped(value: Tensor, like: Tensor) -> Tensor:
    """A value with the gradient of another: where its own could not be held, or where there is none.

    >>> x = torch.tensor(0.0, requires_grad=True)
    >>> sloped(x.abs().sqrt(), 3.0 * x).backward()
    >>> x.grad
    tensor(3.)
    """
    return value.detach() + (like - like.detach())


def lifted(number: Tensor, floor: float | Tensor) -> Tensor:
    """The number, or the floor where it is smaller; the gradient passes, so that what fell below can rise again.

    >>> lifted(torch.tensor([0.0, 2.0]), 1e-6)
    tensor([1.0000e-06, 2.0000e+00])
    """
    return number + (floor - number.detach()).clamp_min(0.0)


def least(numbers: Tensor) -> float:
    """A size near the smallest that a precision holds to all its digits: 1e-35 in float32."""
    return float(torch.finfo(numbers.dtype).tiny * 2.0**10)


def log_rising(x: Tensor, theta: Tensor) -> Tensor:
    r""":math:`\log\Gamma(x+\theta) - \log\Gamma(\theta) - x\log\theta`, by Stirling's series where θ is large.

    >>> log_rising(torch.tensor(0.5), torch.tensor(1e6))  # about x (x - 1) / 2 θ
    tensor(-1.2500e-07)
    """
    large = theta > _LARGE
    if not (torch.compiler.is_compiling() or bool(large.any())):
        return torch.lgamma(x + theta) - torch.lgamma(theta) - x * theta.log()
    big = torch.where(large, theta, _LARGE)
    series = (x - 0.5) * torch.log1p(x / big) - big * excess(x / big) + _series(x + big) - _series(big)
    small = torch.where(large, 1.0, theta)
    direct = torch.lgamma(x + small) - torch.lgamma(small) - x * small.log()
    return torch.where(large, series, direct)


def stirling_rest(z: Tensor) -> Tensor:
    r"""What Stirling's formula lacks: :math:`\log\Gamma(z) - (z - \tfrac12)\log z + z - \tfrac12\log 2\pi`.

    >>> stirling_rest(torch.tensor([1.0, 1e4]))  # about 1 / 12 z
    tensor([8.1061e-02, 8.3333e-06])
    """
    large = z > _LARGE
    small = torch.where(large, 1.0, z)
    direct = torch.lgamma(small) - (small - 0.5) * small.log() + small - 0.9189385332046727
    return torch.where(large, _series(torch.where(large, z, _LARGE)), direct)


def _series(z: Tensor) -> Tensor:
    square = z.square()
    return (1.0 - (1.0 / 30.0 - (1.0 / 105.0 - 1.0 / (140.0 * square)) / square) / square) / (12.0 * z)


def excess(t: Tensor) -> Tensor:
    r""":math:`t - \log(1 + t)`, which is half the square of a small t.

    >>> excess(torch.tensor([1e-3, 1.0]))
    tensor([4.9967e-07, 3.0685e-01])
    """
    small = t.abs() < 0.05
    near = torch.where(small, t, 0.0)
    far = torch.where(small, 1.0, t)
    series: Tensor | float = 0.0
    for power in range(12, 1, -1):
        series = series * near + (1.0 if power % 2 == 0 else -1.0) / power
    return torch.where(small, near * near * series, far - torch.log1p(far))


def log_mixed(log_term: Tensor, log_rest: Tensor, log_share: Tensor) -> Tensor:
    r""":math:`\log(r + s\,e^t)` of shares :math:`r + s = 1`, all three given as logarithms.

    Exact for results near zero and far from it.

    >>> half = torch.tensor(0.5).log()
    >>> log_mixed(torch.tensor([-1e-6, -1e6]), half, half)
    tensor([-5.0000e-07, -6.9315e-01])
    """
    small = log_term < 30.0
    shift = log_share.exp() * expm1(torch.where(small, log_term, 0.0))
    near = small & (shift > -0.5)
    far = _log_sum(log_rest, log_share + log_term)
    return torch.where(near, torch.log1p(torch.where(near, shift, 0.0)), far)


def expm1(number: Tensor) -> Tensor:
    """Far below zero as a difference: there the derivative of ``torch.expm1``, its value plus one, has no digits."""
    return torch.where(number < -1.0, number.exp() - 1.0, torch.expm1(number.clamp_min(-1.0)))


def _log_sum(a: Tensor, b: Tensor) -> Tensor:
    """As ``torch.logaddexp``, whose second derivative is not a number for terms far apart."""
    above = a > b
    return torch.where(above, a, b) + functional.softplus(torch.where(above, b - a, a - b))


def log_one_plus_square(number: Tensor) -> Tensor:
    r""":math:`\log(1 + x^2)`, without squaring what is large.

    >>> log_one_plus_square(torch.tensor([1e-3, 1e30]))
    tensor([1.0000e-06, 1.3816e+02])
    """
    size = number.abs()
    large = size > 1.0
    near, far = torch.where(large, 0.0, number), torch.where(large, size, 1.0)
    return torch.where(large, 2.0 * far.log() + torch.log1p(far.reciprocal().square()), torch.log1p(near.square()))
