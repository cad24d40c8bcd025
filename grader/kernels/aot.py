"""What a Triton kernel becomes for a GPU that is not here: compiled ahead of time, with what the machine code says of it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AskedWrongly, OurFault

USAGE = re.compile(r"REG:(\d+) STACK:(\d+)")
TENSOR_CORES = re.compile(r"\b(?:mma\.sync|wgmma\.mma_async|tcgen05\.mma)\b")
ASYNCHRONOUS = re.compile(r"\bcp\.async\b|\bcp\.async\.bulk\b")
SECONDS = 60.0  # for the tool that reads the machine code
ALIGNED = [["tt.divisibility", 16]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """What one kernel needs on one kind of GPU."""

    name: str
    capability: int  # 80, 90, ...
    registers: int  # of each thread; 255 is the most there is
    spilled: int  # bytes of each thread that did not fit into registers
    shared: int  # bytes of each block
    tensor_cores: int  # instructions for them
    asynchronous: int  # copies that run while the kernel computes


def missing() -> str:
    """Why nothing can be compiled here, or ""."""
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed: pip install triton (on Linux)"
    return ""


def compiled(
    kernel: Any, types: Mapping[str, str], constants: Mapping[str, Any], capability: int, *, warps: int, stages: int,
    aligned: Collection[str] = (),
) -> Compiled:  # fmt: skip
    """Compile a kernel for a GPU of a compute capability, without one.

    Args:
        kernel: what `triton.jit` made of a function.
        types: {argument: Triton's name of its type}, such as "*bf16" or "i32".
        constants: {argument: its value at compile time}.
        capability: 80 for an A100, 90 for an H100.
        warps: of a block.
        stages: of the pipeline.
        aligned: arguments that are divisible by 16; without that knowledge there are no asynchronous copies.

    Raises:
        AskedWrongly: triton is not installed.
        OurFault: the machine code cannot be read.
    """
    if why := missing():
        raise AskedWrongly(f"Nothing can be compiled here: {why}.")
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature = {name: "constexpr" if name in constants else types[name] for name in kernel.arg_names}
    attributes = {(place,): ALIGNED for place, name in enumerate(kernel.arg_names) if name in aligned}
    source = ASTSource(kernel, signature, dict(constants), attributes)
    options = {"num_warps": warps, "num_stages": stages}
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    registers, spilled = _usage(made.asm["cubin"], Path(triton.__file__).parent)
    text = made.asm["ptx"]
    return Compiled(
        kernel.fn.__name__, capability, registers, spilled, made.metadata.shared, len(TENSOR_CORES.findall(text)),
        len(ASYNCHRONOUS.findall(text)),
    )  # fmt: skip


def _usage(code: bytes, triton: Path) -> tuple[int, int]:
    """Registers and bytes of stack of each thread, as the maker's own tool reads them."""
    tool = triton / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        done = subprocess.run(
            [tool, "-res-usage", file.name], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    found = USAGE.search(done.stdout)
    if found is None:
        raise OurFault(f"The machine code of a kernel could not be read: {done.stderr.strip()[:200] or 'no answer'}.")
    return int(found[1]), int(found[2])
