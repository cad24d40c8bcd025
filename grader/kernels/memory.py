"""The most memory that a call takes beyond its inputs and its result, as the kernel of the machine counts it.

Each figure comes from a worker of its own: the peak of a process never falls. What a worker takes before any student
code runs is read from a worker of ours, so that memory taken at import, to be used in secret later, is counted too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..errors import TooSlow
from ..student import Student
from .look import LEAST_MEMORY, Draw, Run
from .sides import Side

LONGEST = 15.0  # seconds of processor time of one call, as a small one lets expect


class TooMuchMemory(TooSlow):
    """The student's kernel took too much memory: a test that fails, like one that takes too long."""


Pair = Callable[[], AbstractContextManager[tuple[Student, Student]]]


def taken(pair: Pair, run: Run, small: Draw, large: Draw, rng: np.random.Generator, work: float) -> float:
    """Return the bytes that a call takes at its highest beyond inputs and result.

    Args:
        pair: makes a student's and a reference's worker, and closes them.
        run: called as run(module, *inputs).
        small: draws inputs that have every line of the code run once, so that its pages are there.
        large: draws the inputs that count.
        rng: the generator.
        work: how many times the work of the small inputs the large ones are.

    Raises:
        TooSlow: the large inputs would take too long.
    """
    with pair() as (mine, ours):
        student, reference = Side(mine), Side(ours)
        warm, inputs = small(rng), large(rng)
        for side in (student, reference):
            side.meet(None)
            seconds = side.call(run, warm).seconds
            side.release()
            if side is student and seconds * work > LONGEST:
                raise TooSlow(f"Too slow for its memory to be measured: one call would take {seconds * work:.0f} s.")
        # The reference's worker only receives the inputs: that much memory is not the student's doing.
        ours.echo([*inputs])
        answer = student.call(run, inputs).answer
        student.release()
        return max(float(student.peak() - reference.peak() - _size(answer)), float(LEAST_MEMORY))


def _size(answer: Any) -> int:
    if isinstance(answer, np.ndarray):
        return int(answer.nbytes)
    return sum(map(_size, answer)) if isinstance(answer, list | tuple) else 0
