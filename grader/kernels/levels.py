"""What of a kernel can be graded on this machine, each level by its name, and why the others cannot."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ..errors import AskedWrongly

DRIVER = Path("/proc/driver/nvidia/version")
REQUIRE = "NNKIT_REQUIRE"
LEVELS = ("cpu-time", "memory", "triton-interpret", "triton-compile", "gpu-time")


def missing() -> dict[str, str]:
    """{level: why it cannot be had here, or ""}. Nothing is started for it, and nothing imported without a device."""
    elsewhere = "" if sys.platform == "linux" else "the clock and the memory of another process are read on Linux only"
    return {
        "cpu-time": elsewhere,
        "memory": elsewhere,
        "triton-interpret": without_triton(),
        "triton-compile": without_triton(),
        "gpu-time": _no_gpu(),
    }


def without_triton() -> str:
    """Why no kernel of Triton's can be looked at here, or ""."""
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed: pip install triton (on Linux)"
    return ""


def _no_gpu() -> str:
    if not DRIVER.exists():
        return "no CUDA device: no NVIDIA driver is loaded"
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return "no CUDA device: the driver sees none"
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed: pip install torch"
    from . import cuda  # seconds; but now there is a device to be used

    return cuda.missing()


def needs(environment: Mapping[str, str] = os.environ, *, gpu: bool = True) -> None:
    """Hold that every level named in NNKIT_REQUIRE can be had: a machine that is meant to grade it must not skip it.

    Args:
        environment: variables of the environment.
        gpu: whether the device is used.

    Raises:
        AskedWrongly: one cannot, or is not asked for, or there is none of that name.
    """
    reasons = missing()
    for name in filter(None, environment.get(REQUIRE, "").replace(",", " ").split()):
        if name not in reasons:
            raise AskedWrongly(f"{REQUIRE} names {name!r}; there are {', '.join(LEVELS)}.")
        if reasons[name]:
            raise AskedWrongly(f"{REQUIRE} asks for {name}, which cannot be had here: {reasons[name]}.")
        if name == "gpu-time" and not gpu:
            raise AskedWrongly(f"{REQUIRE} asks for {name}; give --gpu, or it would be skipped.")


def told() -> list[str]:
    """One line for each level: whether it can be had here, and where the points of the others are."""
    reasons = missing()
    lines = [f"{name}: {f'skipped ({why})' if why else 'here'}" for name, why in reasons.items()]
    return [*lines, "What is skipped costs no points: all of them are given by the levels that are here."]
