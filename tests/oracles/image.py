"""Similarity of images from the source: rows of numbers of any precision in, one number out.

Wang, Bovik, Sheikh and Simoncelli (IEEE TIP 13(4), 2004), equations 13 to 17: in every window of a square image sums
with circular Gaussian weights. A target that is no number marks a missing pixel.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import mpmath as mp
import torch

SIDE = 6


def ssim_arguments(generator, rows):
    """Images of two windows each way, at the largest window that fits."""
    output, target = torch.randn((2, rows, SIDE * SIDE), generator=generator, dtype=torch.float64)
    return {"output": output, "target": target.abs()}


def ssim(output, target, window, sigma, data_range):
    side = int(mp.sqrt(len(output)))
    return dissimilarity(output, target, (side, side), window, sigma, data_range)


def dissimilarity(output, target, sides, window, sigma, data_range):
    """Of one channel of any height and width."""
    sizes = tuple(max(n for n in range(1, side + 1, 2) if n <= window) for side in sides)
    return _dissimilarity(tuple(output), tuple(target), sides, sizes, sigma, data_range)


@cache  # windows that do not fit are asked for by many settings
def _dissimilarity(output, target, sides, sizes, sigma, data_range):
    first, second = (mp.mpf("0.01") * data_range) ** 2, (mp.mpf("0.03") * data_range) ** 2
    total, counted = mp.mpf(0), mp.mpf(0)
    for top, left in product(*(range(side - size + 1) for side, size in zip(sides, sizes, strict=True))):
        places = [((top + i) * sides[1] + left + j, weight) for i, j, weight in _weights(sizes, sigma)]
        seen = [(weight, output[place], target[place]) for place, weight in places if not mp.isnan(target[place])]
        share = mp.fsum(weight for weight, _, _ in seen)
        if share:
            total += share * _index(seen, share, first, second)
            counted += share
    return 1 - total / counted if counted else mp.mpf(0)


@cache
def _weights(sizes, sigma):
    """Of each place of a window; what they add up to is no matter."""
    centre = [size // 2 for size in sizes]
    return [
        (i, j, mp.exp(-((i - centre[0]) ** 2 + (j - centre[1]) ** 2) / (2 * mp.mpf(sigma) ** 2)))
        for i, j in product(*map(range, sizes))
    ]


def _index(seen, share, first, second):
    weights, xs, ys = zip(*seen, strict=True)
    wxs, wys = ([w * v for w, v in zip(weights, values, strict=True)] for values in (xs, ys))
    x, y = mp.fsum(wxs) / share, mp.fsum(wys) / share
    xx, yy, xy = mp.fdot(wxs, xs) / share - x * x, mp.fdot(wys, ys) / share - y * y, mp.fdot(wxs, ys) / share - x * y
    return (2 * x * y + first) * (2 * xy + second) / ((x * x + y * y + first) * (xx + yy + second))
