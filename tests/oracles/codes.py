"""Penalties on codes from their definitions: rows (or, by batch, tables) of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp
import torch


def code_l1(code):
    return mp.fsum(abs(value) for value in code)


def code_l1_best():
    return {"code": torch.zeros(2, 3).double()}


def top_k_sparsity(code, k):
    return mp.fsum(sorted((abs(value) for value in code), reverse=True)[int(k) :])


def top_k_sparsity_best():
    return {"code": torch.tensor([[3.0, 0.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 1.0, 5.0]]).double()}


def code_l2(code):
    return mp.fsum(value**2 for value in code)


def code_l2_best():
    return {"code": torch.zeros(2, 3).double()}


def norm_variance(code):
    norms = [mp.sqrt(mp.fsum(value**2 for value in row)) for row in code]
    squares = mp.fsum(norm**2 for norm in norms) / len(norms)
    return squares - (mp.fsum(norms) / len(norms)) ** 2


def norm_variance_best():
    return {"code": torch.tensor([[3.0, 4.0], [0.0, -5.0], [5.0, 0.0]]).double()}


def kl_to_rate(code, rate):
    means = [mp.fsum(column) / len(code) for column in zip(*code, strict=True)]
    return mp.fsum(rate * mp.log(rate / q) + (1 - rate) * mp.log((1 - rate) / (1 - q)) for q in means)


def kl_to_rate_best():
    return {"code": torch.full((4, 3), 0.05).double()}


def contractive(code, inputs):
    """Of a layer of sigmoids code = sigmoid(inputs @ weights): slopes h (1 - h) w, with the weights of this module."""
    slopes = [[h * (1 - h) * w for w in column] for h, column in zip(code, zip(*WEIGHTS, strict=True), strict=True)]
    return mp.fsum(slope**2 for column in slopes for slope in column)


WEIGHTS = [[0.5, -1.0, 2.0], [0.25, 1.5, -0.75]]  # (features, units)
