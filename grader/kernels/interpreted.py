"""A student's own file for a GPU, without one: its values under Triton's interpreter, in a process of the level `gpu`.

The interpreter runs a kernel as numpy would, slowly and leniently: what is wrong here is wrong, what is right here may
still not compile. It has no products of bfloat16.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..codec import is_tensor, tensor
from ..compare import assert_close
from ..errors import AskedWrongly
from ..processes import FreshClient, Patience
from ..remote import Budget, RemoteTransport
from ..sandbox import Ceilings
from ..student import Student
from ..transport import Files
from .levels import without_triton

Words = NDArray[Any]

CEILINGS = Ceilings(8 << 30, 600)
PATIENCE = Patience(120.0, 600.0)
BUDGET = Budget(600.0, 3600.0, PATIENCE, PATIENCE)
SETTING = b"import os\nos.environ['TRITON_INTERPRET'] = '1'\n"  # read when a kernel is decorated
# float32 sums some hundred terms of size 4; float16 is rounded once or twice.
TOLERANCES = {"float32": 1e-4, "float16": 3e-2}


@dataclass(frozen=True, slots=True)
class Question:
    """One call: the function's name, its tensors and other arguments, and what must come out, in float64."""

    name: str
    tensors: tuple[Words, ...]
    others: tuple[Any, ...]
    right: tuple[Words, ...]


def file_beside(file: Path) -> Path:
    """Where the file for a GPU lies: relu_gpu.py beside relu.py."""
    return file.with_name(f"{file.stem}_gpu.py")


def examine(file: Path, questions: Callable[[np.random.Generator], Sequence[Question]]) -> list[str]:
    """Run a student's file for a GPU under the interpreter; return one line for each kind of number and function.

    Args:
        file: the student's file for the CPU; the one for a GPU lies beside it.
        questions: makes the calls from a generator.

    Raises:
        NoIsolation: this machine lacks what the level needs.
    """
    path = file_beside(file)
    if why := without_triton() or ("" if path.is_file() else f"there is no {path.name} beside {file.name}"):
        return [f"triton-interpret: skipped ({why})"]
    lines = []
    with _student(path) as student:
        for kind, atol in TOLERANCES.items():
            for question in questions(np.random.default_rng(0)):
                problem = _answer(student, question, kind, atol)
                lines.append(f"triton-interpret: {question.name}, {kind}: {problem or 'right'}")
    return list(dict.fromkeys(lines))


def _answer(student: Student, question: Question, kind: str, atol: float) -> str:
    """What is wrong with one answer, or ""."""
    rounded = [tensor(array, kind) for array in question.tensors]
    try:
        yours = getattr(student, question.name)(*rounded, *question.others)
        for mine, right in zip(yours if isinstance(yours, tuple | list) else (yours,), question.right, strict=True):
            if not is_tensor(mine):
                return "it returned no tensor"
            assert_close(np.asarray(mine, np.float64), right, rtol=0.0, atol=atol * (1.0 + np.abs(right).max()))
    except Exception as error:  # noqa: BLE001 - whatever the student's code does, it is told
        return " ".join(str(error).split())[:300] or type(error).__name__
    return ""


@contextlib.contextmanager
def _student(path: Path) -> Iterator[Student]:
    start = f"{path.stem}_start"
    sources = {f"{start}.py": SETTING + f"from {path.stem} import *\n".encode(), path.name: path.read_bytes()}
    files = Files(
        sources, start, "gpu", ("math", "numpy", "os", "torch", "triton", "typing", "__future__", "collections")
    )
    client = FreshClient(["numpy", "torch"])  # triton only once the setting is made: its own library is decorated too
    with (
        contextlib.closing(client),
        contextlib.closing(Student(RemoteTransport(client, CEILINGS, BUDGET), files)) as student,
    ):
        yield student


# What the tracks ask


def questions_of(number: str) -> Callable[[np.random.Generator], Sequence[Question]]:
    """The calls of a track. Raises AskedWrongly when the section is none."""
    known = {"29k": convolutions, "34k": attentions}
    if number not in known:
        raise AskedWrongly(f"Section {number} has no part for a GPU; {' and '.join(known)} have one.")
    return known[number]


def attentions(rng: np.random.Generator) -> list[Question]:
    """Lengths that no block divides, causal or not, widths that differ."""
    made = []
    for (queries, keys), (width, values), causal in (((19, 37), (8, 5), False), ((20, 33), (16, 16), True)):
        q, k, v = (rng.standard_normal((1, 2, *shape)) for shape in ((queries, width), (keys, width), (keys, values)))
        scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(width)
        if causal:
            scores = np.where(np.tri(queries, keys, keys - queries, dtype=bool), scores, -np.inf)
        top = scores.max(axis=-1, keepdims=True)
        sums = np.exp(scores - top).sum(axis=-1, keepdims=True)
        out, logsumexp = np.exp(scores - top) / sums @ v, (top + np.log(sums))[..., 0]
        made.append(Question("flash_attention", (q, k, v), (causal, 16), (out, logsumexp)))
    return made


def convolutions(rng: np.random.Generator) -> list[Question]:
    """Images and filters that are not square, with stride and padding."""
    made = []
    for images, filters, stride, padding in (((2, 3, 9, 7), (5, 3, 3, 2), 1, 0), ((1, 4, 8, 9), (6, 4, 3, 3), 2, 1)):
        x, w, b = rng.standard_normal(images), rng.standard_normal(filters), rng.standard_normal(filters[0])
        padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        windows = sliding_window_view(padded, filters[2:], axis=(2, 3))[:, :, ::stride, ::stride]
        right = np.einsum("nchwij,ocij->nohw", windows, w) + b[:, None, None]
        made.append(Question("conv2d", (x, w, b), (stride, padding), (right,)))
    return made
