"""Triton's own way to machine code for a GPU that is not here, and what that code says of a kernel.

A worker gets this file's text beside the student's, so it imports nothing of ours. A launch is led as far as the compiler
and no further: Triton finds types, constants and alignment in the arguments of the student's own launch.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.autotuner import Autotuner
from triton.runtime.driver import driver
from triton.runtime.jit import JITFunction

USAGE = re.compile(r"REG:(\d+) STACK:(\d+)")
TENSOR_CORES = re.compile(r"\b(?:mma\.sync|wgmma\.mma_async|tcgen05\.mma)\b")
ASYNCHRONOUS = re.compile(r"\bcp\.async\b|\bcp\.async\.bulk\b")
SECONDS = 60.0  # for the tool that reads the machine code
THREADS = 32  # of a warp

Found = list[
    Any
]  # name, capability, registers, bytes spilled, bytes shared, instructions on tensor cores, copies beside


def target(capability: int) -> GPUTarget:
    """A kind of GPU, by its compute capability: 80 for an A100, 90 for an H100."""
    return GPUTarget("cuda", capability, THREADS)


def read(made: Any, name: str, capability: int) -> Found:
    """Return what the machine code of a compiled kernel says. Raises RuntimeError when it cannot be read."""
    registers, spilled = _usage(made.asm["cubin"])
    text = made.asm["ptx"]
    return [
        name, capability, registers, spilled, made.metadata.shared, len(TENSOR_CORES.findall(text)),
        len(ASYNCHRONOUS.findall(text)),
    ]  # fmt: skip


def _usage(code: bytes) -> tuple[int, int]:
    """Registers and bytes of stack of each thread, as the maker's own tool reads them."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        done = subprocess.run(
            [tool, "-res-usage", file.name], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    found = USAGE.search(done.stdout)
    if found is None:
        raise RuntimeError(
            f"the machine code of a kernel could not be read: {done.stderr.strip()[:200] or 'no answer'}"
        )
    return int(found[1]), int(found[2])


class _Absent:
    """Stands where Triton looks for the driver of a GPU."""

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def get_current_target(self) -> GPUTarget:
        """Return what is compiled for."""
        return target(self._capability)

    def get_current_device(self) -> int:
        """Return a number by which Triton keeps what it has compiled."""
        return self._capability

    def get_current_stream(self, _device: int) -> int:
        """Return the only stream."""
        return 0


def launches(
    kernels: ModuleType, capability: int, steps: Sequence[Any], shapes: Sequence[Any], kind: str
) -> list[Found]:
    """Call a student's functions and compile every kernel that they launch; none is run.

    Args:
        kernels: the student's module.
        capability: what is compiled for.
        steps: functions, places of their tensors and further arguments, as `aboard.Bench.call` takes them.
        shapes: of the inputs, each with whether channels lie next to each other.
        kind: of number.
    """
    found: list[Found] = []
    whole: Callable[..., Any] = JITFunction.run
    choices: Callable[..., Any] = Autotuner.prune_configs

    def compiled(self: Any, *arguments: Any, grid: Any, warmup: bool, **options: Any) -> Any:  # noqa: ARG001 - never launched
        made = whole(self, *arguments, grid=grid, warmup=True, **options)
        facts = read(made, self.fn.__name__, capability)
        if facts not in found:
            found.append(facts)
        return made

    driver.set_active(_Absent(capability))
    JITFunction.run = compiled
    Autotuner.prune_configs = lambda self, options: choices(self, options)[:1]  # the others are chosen by timing them
    try:
        pool: list[Any] = [
            torch.zeros(*shape, dtype=getattr(torch, kind)).contiguous(
                memory_format=torch.channels_last if last else torch.contiguous_format
            )
            for shape, last in shapes
        ]
        for function, places, others in steps:
            answer = getattr(kernels, function)(*(pool[place] for place in places), *others)
            pool += answer if isinstance(answer, tuple | list) else [answer]
    finally:
        JITFunction.run, Autotuner.prune_configs = whole, choices
    return found
