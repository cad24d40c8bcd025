"""What a Triton kernel becomes for a GPU that is not here: compiled ahead of time, with what the machine code says of it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AskedWrongly, OurFault
from ..processes import FreshClient
from ..remote import RemoteTransport
from ..student import Student
from ..transport import Files
from .interpreted import BUDGET, CEILINGS, file_beside
from .levels import without_triton

CAPABILITIES = (80, 90)  # an A100, an H100
TOLD = 300  # characters of an error: the compiler says what is wrong after it has said where
ALIGNED = [["tt.divisibility", 16]]
START, COMPILING = "nnkit_start", "nnkit_compiling"
AVAILABLE = (
    "__future__", "collections", "dataclasses", "functools", "itertools", "math", "numpy", "pathlib", "re", "subprocess",
    "tempfile", "torch", "triton", "types", "typing",
)  # fmt: skip


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

    def __str__(self) -> str:
        spilled = f"{self.spilled} bytes spilled" if self.spilled else "nothing spilled"
        return (
            f"{self.name}, sm_{self.capability}: {self.registers} registers, {spilled}, {self.shared / 1024:.3g} KiB shared, "
            f"{self.tensor_cores} tensor-core instructions, {self.asynchronous} asynchronous copies"
        )


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
    if why := without_triton():
        raise AskedWrongly(f"Nothing can be compiled here: {why}.")
    import triton
    from triton.compiler import ASTSource

    from . import compiling

    signature = {name: "constexpr" if name in constants else types[name] for name in kernel.arg_names}
    attributes = {(place,): ALIGNED for place, name in enumerate(kernel.arg_names) if name in aligned}
    source = ASTSource(kernel, signature, dict(constants), attributes)
    options = {"num_warps": warps, "num_stages": stages}
    made = triton.compile(source, target=compiling.target(capability), options=options)
    try:
        return Compiled(*compiling.read(made, kernel.fn.__name__, capability))
    except RuntimeError as error:
        raise OurFault(f"Nothing is known of a compiled kernel: {error}.") from None


def examine(file: Path, number: str) -> list[str]:
    """Compile the kernels that a student's own file for a GPU launches; return what to tell of each.

    Args:
        file: the student's file for the CPU; the one for a GPU lies beside it.
        number: of the section.

    Raises:
        NoIsolation: this machine lacks what the level `gpu` needs.
    """
    path = file_beside(file)
    if why := without_triton() or ("" if path.is_file() else f"there is no {path.name} beside {file.name}"):
        return [f"triton-compile: skipped ({why})"]
    from . import tracks  # torch, which triton's kernels need anyway

    start = (
        f"import {path.stem} as kernels\nfrom {COMPILING} import launches\n"
        "def compiled(*given): return launches(kernels, *given)\n"
    )
    text = Path(__file__).with_name("compiling.py").read_bytes()
    theirs = {each.name: each.read_bytes() for each in file.parent.glob("*.py")}
    files = Files({**theirs, f"{START}.py": start.encode(), f"{COMPILING}.py": text}, START, number, AVAILABLE)
    client, lines = FreshClient(["numpy", "torch"]), []
    with (
        contextlib.closing(client),
        contextlib.closing(Student(RemoteTransport(client, CEILINGS, BUDGET), files, observe=False)) as student,
    ):
        for question in (tracks.track(number).alone(back=back) for back in (False, True)):
            for capability in CAPABILITIES:
                lines += _told(student, question, capability)
    return [f"triton-compile: {line}" for line in dict.fromkeys(lines)]


def _told(student: Student, question: Any, capability: int) -> list[str]:
    """One line for each kernel of a call, or why there is none."""
    steps = [[name, list(places), list(others)] for name, places, others in question.work.theirs]
    try:
        shapes = [[list(shape), question.is_last(shape)] for shape in question.shapes]
        found = student.compiled(capability, steps, shapes, "bfloat16")
        return [str(Compiled(*each)) for each in found] or [f"{question.name}: no kernel of Triton's is launched"]
    except Exception as error:  # noqa: BLE001 - whatever the student's code does, it is told
        return [f"{question.name}, sm_{capability}: {' '.join(str(error).split())[-TOLD:] or type(error).__name__}"]
