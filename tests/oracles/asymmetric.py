"""Asymmetric losses from their textbook formulas: numbers of any precision in, one number out."""

from __future__ import annotations


def quantile(output, target, level):
    short = target - output
    return max(level * short, (level - 1) * short)


def expectile(output, target, level):
    short = target - output
    return abs(level - (1 if short < 0 else 0)) * short**2
