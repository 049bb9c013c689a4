"""Precision and threads of a trial; whether reduced-precision products pay here: a check, then a short race."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from losslens.run.spec import Precision, TrialSpec

_WORTH, _ROUNDS = 1.5, 12


def probe() -> Precision:
    """``bf16`` if the processor has units for it and they win a 20 ms race clearly, else ``fp32``."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "fp32"
    before = torch.get_float32_matmul_precision()
    try:
        rounds = [(_product("highest"), _product("medium")) for _ in range(_ROUNDS)]
    finally:
        torch.set_float32_matmul_precision(before)
    exact, reduced = (min(times) for times in zip(*rounds, strict=True))
    return "bf16" if exact > _WORTH * reduced else "fp32"


def _product(precision: str) -> float:
    """Seconds of one product of the size that training has; the two precisions take turns."""
    torch.set_float32_matmul_precision(precision)
    a, b = torch.ones(256, 1024), torch.ones(1024, 256)
    began = time.perf_counter()
    torch.mm(a, b)
    return time.perf_counter() - began


def best_device() -> str:
    """``cuda`` where there is one, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def matmul_precision(spec: TrialSpec) -> Iterator[None]:
    """Reduced-precision products where the trial says so."""
    before = torch.get_float32_matmul_precision()
    reduced = spec.training is not None and spec.training.precision == "bf16"
    torch.set_float32_matmul_precision("medium" if reduced else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
