"""What this computer can do, measured: a kernel's speed is told as a share of it."""

from __future__ import annotations

import time
from functools import cache

import numpy as np

SIDE = 768  # of the matrices: three of them fit a second-level cache's neighbourhood, and a product takes some 10 ms
TRIES = 5
COPIED = 32 << 20  # bytes: far more than a cache holds


@cache
def peak_flops() -> float:
    """Floating-point operations per second of one core in float32: the fastest of some matrix products."""
    a, b = np.random.default_rng(0).standard_normal((2, SIDE, SIDE)).astype(np.float32)
    out = np.empty_like(a)
    best = min(_seconds(lambda: np.matmul(a, b, out=out)) for _ in range(TRIES))
    return 2.0 * SIDE**3 / best


@cache
def peak_bytes() -> float:
    """Bytes per second of one core that are read and written when a large array is copied."""
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    best = min(_seconds(lambda: np.copyto(target, source)) for _ in range(TRIES))
    return 2.0 * COPIED / best


def _seconds(action: object) -> float:
    assert callable(action)
    start = time.process_time()
    action()
    return max(time.process_time() - start, 1e-9)


def machine_class() -> str:
    """What kind of processor this is: times on others are not comparable."""
    import platform
    from pathlib import Path

    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return model or platform.processor() or platform.machine()
