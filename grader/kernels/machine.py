"""What this computer can do, measured: a kernel's speed is told as a share of it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

from ..environment import ONE_THREAD
from ..errors import OurFault

SECONDS = 60.0  # for the measurement, which takes a fraction of one
# Three matrices of 512 x 512 fit into a second-level cache, and a product takes some 3 ms. A busy machine is never faster
# than it is, so the fastest of many counts.
PRODUCTS = """\
import time
import numpy as np
a, b = np.random.default_rng(0).standard_normal((2, 512, 512)).astype(np.float32)
out = np.empty_like(a)
def seconds():
    start = time.process_time()
    np.matmul(a, b, out=out)
    return time.process_time() - start
print(2.0 * 512**3 / max(min(seconds() for _ in range(40)), 1e-9))
"""


@cache
def peak_flops() -> float:
    """Floating-point operations per second of one core in float32, as the fastest of some matrix products reaches them.

    Measured in a process of its own: how many threads numpy uses in this one was decided when it was imported.

    Raises:
        OurFault: it cannot be measured.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", PRODUCTS], env={**os.environ, **ONE_THREAD}, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    try:
        return float(done.stdout)
    except ValueError:
        raise OurFault(f"The speed of this machine could not be measured: {done.stderr.strip()[-200:]}") from None


def machine_class() -> str:
    """What kind of processor this is: times on others are not comparable."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return model or platform.processor() or platform.machine()
