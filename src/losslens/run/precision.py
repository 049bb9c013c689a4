"""Whether reduced-precision products pay on this machine: a capability check, then a short race."""

from __future__ import annotations

import time

import torch

from losslens.run.spec import Precision

_WORTH = 1.5


def probe() -> Precision:
    """``bf16`` if the processor has units for it and they win a 20 ms race clearly, else ``fp32``."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "fp32"
    before = torch.get_float32_matmul_precision()
    try:
        exact, reduced = _race("highest"), _race("medium")
    finally:
        torch.set_float32_matmul_precision(before)
    return "bf16" if exact > _WORTH * reduced else "fp32"


def _race(precision: str) -> float:
    torch.set_float32_matmul_precision(precision)
    a, b = torch.ones(256, 1024), torch.ones(1024, 256)
    best = float("inf")
    for _ in range(8):
        began = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - began)
    return best


def best_device() -> str:
    """``cuda`` where there is one, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"
