"""What this computer can do, measured: a kernel's speed is told as a share of it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIDE = 512  # of the matrices: three of them fit into a second-level cache, and a product takes some 3 ms
TRIES = 9

_fastest = [0.0]  # the best of all products so far: a busy machine is never faster than it is


def peak_flops() -> float:
    """Floating-point operations per second of one core in float32: the fastest matrix product that was ever seen."""
    a, b = np.random.default_rng(0).standard_normal((2, SIDE, SIDE)).astype(np.float32)
    out = np.empty_like(a)
    best = min(_seconds(lambda: np.matmul(a, b, out=out)) for _ in range(TRIES))
    _fastest[0] = max(_fastest[0], 2.0 * SIDE**3 / best)
    return _fastest[0]


def _seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return max(time.process_time() - start, 1e-9)


def machine_class() -> str:
    """What kind of processor this is: times on others are not comparable."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return model or platform.processor() or platform.machine()
