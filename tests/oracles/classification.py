"""Classification losses from their textbook formulas: numbers of any precision in, one number out."""

from __future__ import annotations

import mpmath as mp
import torch


def nll(output, target):
    return -output[target]


def cross_entropy(output, target, label_smoothing):
    total = mp.log(mp.fsum(mp.exp(score) for score in output))
    costs = [total - score for score in output]
    return (1 - label_smoothing) * costs[target] + label_smoothing * mp.fsum(costs) / len(costs)


def multi_class_hinge(output, target, p, margin):
    others = [score for label, score in enumerate(output) if label != target]
    return mp.fsum(max(mp.mpf(0), margin - output[target] + score) ** p for score in others) / len(output)


def multi_class_hinge_best():
    return {"output": torch.tensor([[9.0, 0.0], [0.0, 9.0]]).double(), "target": torch.tensor([0, 1])}


def bce(output, target):
    return -_times_log(target, output) - _times_log(1 - target, 1 - output)


def bce_best():
    return {"output": torch.tensor([[0.0, 1.0]]).double(), "target": torch.tensor([[0.0, 1.0]]).double()}


def bce_with_logits(output, target):
    return target * mp.log(1 + mp.exp(-output)) + (1 - target) * mp.log(1 + mp.exp(output))


def bce_with_logits_best():
    return {"output": torch.tensor([[-99.0, 99.0]]).double(), "target": torch.tensor([[0.0, 1.0]]).double()}


def focal(output, target, gamma, alpha):
    against = output if target == 0 else -output
    share = alpha if target == 1 else 1 - alpha
    return share * (1 / (1 + mp.exp(-against))) ** gamma * mp.log(1 + mp.exp(against))


focal_best = bce_with_logits_best


def kl_divergence(output, target):
    return _times_log(target, target) - target * output


def kl_divergence_of_logs(output, target):
    return mp.exp(target) * (target - output)


def _times_log(factor, number):
    return 0 if factor == 0 else factor * mp.log(number)
