"""Yardsticks of a signal: how close values come to a reference, on tensors of one shape."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def psnr(prediction: Tensor, target: Tensor, span: float = 2.0) -> float:
    r"""Peak signal-to-noise ratio in decibels: :math:`10 \log_{10} (r^2 / \mathrm{mse})`.

    ``span`` is the distance r between the least and the largest value a signal may take, 2 for values in [-1, 1].

    >>> from losslens.measure.signals import psnr
    >>> round(psnr(torch.full((4,), 0.2), torch.zeros(4)), 3)
    20.0
    """
    return _decibels(span**2, _mean_square(prediction - target))


def snr(prediction: Tensor, target: Tensor) -> float:
    r"""Signal-to-noise ratio in decibels: :math:`10 \log_{10} (\mathrm{mean}\,x^2 / \mathrm{mse})`.

    >>> from losslens.measure.signals import snr
    >>> round(snr(torch.tensor([0.9, -0.9]), torch.tensor([1.0, -1.0])), 3)
    20.0
    """
    return _decibels(_mean_square(target), _mean_square(prediction - target))


def relative_error(prediction: Tensor, target: Tensor) -> float:
    r"""Root mean squared error over the root mean square of the target: :math:`\|\hat u - u\| / \|u\|`.

    >>> from losslens.measure.signals import relative_error
    >>> round(relative_error(torch.tensor([0.9, -0.9]), torch.tensor([1.0, -1.0])), 3)
    0.1
    """
    return math.sqrt(_mean_square(prediction - target) / _mean_square(target))


def missing(prediction: Tensor, target: Tensor, freedom: Tensor) -> Tensor:
    """Which combination of the columns of ``freedom`` (points, columns) brings the prediction closest to the target.

    (points, outputs) twice -> (columns, outputs). For problems whose solution is known only up to such a
    combination, such as a constant.

    >>> from losslens.measure.signals import missing
    >>> missing(torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [2.0]]), torch.ones(2, 1)).tolist()
    [[-1.0]]
    """
    solution: Tensor = torch.linalg.lstsq(freedom.double(), (target - prediction).double()).solution
    return solution.to(prediction.dtype)


def _mean_square(values: Tensor) -> float:
    return float(values.double().square().mean())


def _decibels(signal: float, noise: float) -> float:
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf
