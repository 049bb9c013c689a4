"""Latent losses from their textbook formulas: rows of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp
import torch


def kl_standard_normal(mean, log_variance):
    return mp.fsum(_kl(m, v, 0, 0) for m, v in zip(mean, log_variance, strict=True))


def kl_standard_normal_best():
    return {"mean": torch.zeros(2, 3).double(), "log_variance": torch.zeros(2, 3).double()}


def free_bits(mean, log_variance, bits):
    return mp.fsum(max(bits, _kl(m, v, 0, 0)) for m, v in zip(mean, log_variance, strict=True))


def kl_gaussians(mean, log_variance, prior_mean, prior_log_variance):
    rows = zip(mean, log_variance, prior_mean, prior_log_variance, strict=True)
    return mp.fsum(_kl(*numbers) for numbers in rows)


def kl_gaussians_best():
    names = ("mean", "log_variance", "prior_mean", "prior_log_variance")
    return {name: torch.ones(2, 3).double() for name in names}


def _kl(mean, log_variance, prior_mean, prior_log_variance):
    spread = (mp.exp(log_variance) + (mean - prior_mean) ** 2) / mp.exp(prior_log_variance)
    return (spread - (log_variance - prior_log_variance) - 1) / 2


def mmd(code, prior, bandwidth, kernel):
    def likeness(xs, ys):
        squares = [mp.fsum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for x in xs for y in ys]
        if kernel == "gaussian":
            values = [mp.exp(-squared / (2 * bandwidth**2)) for squared in squares]
        else:
            values = [bandwidth**2 / (bandwidth**2 + squared) for squared in squares]
        return mp.fsum(values) / len(values)

    return likeness(code, code) + likeness(prior, prior) - 2 * likeness(code, prior)


def mmd_best():
    points = torch.tensor([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]]).double()
    return {"code": points, "prior": points.flip(0).clone()}


def mmd_arguments(generator, rows):
    """Near enough for the kernels to tell."""
    code, prior = (0.7 * torch.randn(size, 5, generator=generator, dtype=torch.float64) for size in (rows, 6))
    return {"code": code, "prior": prior + 0.5}


# Exponentials of more would drown everything else, even in 150 digits.
kl_standard_normal_scales = free_bits_scales = kl_gaussians_scales = (1e-30, 1e-15, 1.0, 15.0)
