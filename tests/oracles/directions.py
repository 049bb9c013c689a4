"""The density of directions from its textbook formula: two rows of numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp
from tests.oracles.profile import cosine


def von_mises_fisher(output, target, concentration):
    order = mp.mpf(len(output)) / 2 - 1
    constant = concentration**order / (2 * mp.pi) ** (order + 1) / mp.besseli(order, concentration)
    return concentration * (cosine(output, target) - 1) - mp.log(constant)
