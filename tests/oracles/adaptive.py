"""The adaptive density from its definition, its normaliser by quadrature: numbers of any precision in, one out."""

from __future__ import annotations

from functools import cache

import mpmath as mp


def adaptive_robust(output, target, shape, scale):
    return _rho((output - target) / scale, shape) + mp.log(scale) + _log_partition(mp.nstr(shape, 40))


def _rho(number, shape):
    if shape == 2:
        return number**2 / 2
    distance = abs(shape - 2)
    return distance / shape * ((number**2 / distance + 1) ** (shape / 2) - 1)


@cache
def _log_partition(shape):
    with mp.workdps(30):
        a = mp.mpf(shape)
        inside = mp.quad(lambda t: mp.exp(-_rho(mp.sinh(t), a)) * mp.cosh(t), [-120, -60, -20, -5, 0, 5, 20, 60, 120])
        return mp.log(inside)
