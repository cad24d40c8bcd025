"""Speed as a ratio to the reference, by a clock that the student's code cannot touch (design.md, contract 2).

Student and reference run in workers of their own. The processor time of each is read from outside, before and after a
call; the cost of sending the same data there and back is subtracted from both, as the reference's worker shows it
(the student's could make it dear); runs alternate; the fastest run of each counts; every answer must be the reference's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from .codec import TensorArray
from .compare import assert_close
from .errors import OurFault, TooSlow
from .remote import RemoteTransport
from .student import Student

FEWEST_ROUNDS = 3
ROUNDS = 6
MOST_ROUNDS = 15
HOPELESS = 4.0  # so many times over the limit after the fewest rounds: noise cannot explain it
SMALLEST = 50e-6  # seconds; below this the clock and the kernel's own work drown the difference
NOISE = 0.1  # of what sending the data costs: so much it varies by itself
RTOL, ATOL = 5e-3, 1e-5  # an answer that was computed at all; how exact it must be, other tests say


@dataclass(slots=True)
class _Runner:
    """One side of the comparison."""

    module: Student
    prepared: tuple[Any, ...] = ()
    best: float = math.inf
    answer: object = None
    cpu: Callable[[], float] = field(init=False)

    def __post_init__(self) -> None:
        transport = self.module.transport
        if not isinstance(transport, RemoteTransport):
            raise OurFault("Speed is measured between workers; this module runs in the grader's own process.")
        self.cpu = transport.cpu

    def seconds(self, action: Callable[[], object]) -> float:
        with self.module.unwatched():
            start = self.cpu()
            action()
            return self.cpu() - start

    def round(self, run: Callable[..., object], inputs: tuple[Any, ...]) -> None:
        def call() -> None:
            self.answer = run(self.module, *self.prepared, *inputs)

        self.best = min(self.best, self.seconds(call))


class Speed:
    """The `speed` fixture.

    Args:
        sides: returns the student's module and the reference's, each in a worker of its own.
    """

    def __init__(self, sides: Callable[[], tuple[Student, Student]]) -> None:
        self._sides = sides

    def at_most(
        self,
        times: float,
        run: Callable[..., object],
        inputs: Callable[[], tuple[Any, ...]],
        prepare: Callable[[Any], object] | None = None,
    ) -> float:
        """Fail when the student's code uses more than `times` the processor time of the reference; return the ratio.

        Args:
            times: the largest ratio that passes.
            run: called as run(module, *inputs()), or run(module, prepared, *inputs()) where there is `prepare`.
            inputs: makes fresh inputs for every round.
            prepare: called once per module, outside the clock; what it returns goes into every run.

        Raises:
            TooSlow: the ratio stays above `times` after further rounds.
            Mismatch: an answer is not the reference's, where that is plain data.
        """
        __tracebackhide__ = True
        ours_and_theirs = self._sides()
        ours_and_theirs[1].begin_test(0)  # its worker serves a whole class: what was prepared before is let go
        runners = []
        for module in ours_and_theirs:
            with module.unwatched():
                runners.append(_Runner(module, (prepare(module),) if prepare else ()))
        student, reference = runners
        ratio = way = yours = ours = math.inf
        for done in range(1, MOST_ROUNDS + 1):
            drawn = inputs()
            # What comes first pays for cold caches, so everything comes first in its turn.
            for turn in range(done, done + 3):
                if turn % 3 == 0:
                    way = min(way, reference.seconds(partial(reference.module.echo, list(drawn))))
                else:
                    runners[turn % 3 - 1].round(run, drawn)
            if _is_plain(reference.answer):
                assert_close(student.answer, reference.answer, rtol=RTOL, atol=ATOL, name="the answer that was timed")
            least = max(SMALLEST, NOISE * way)
            yours, ours = max(student.best - way, least), max(reference.best - way, least)
            ratio = yours / ours
            enough = done >= ROUNDS or (done >= FEWEST_ROUNDS and ratio <= times / 2)
            if (enough and ratio <= times) or (done >= FEWEST_ROUNDS and ratio > times * HOPELESS):
                break
        if ratio <= times:
            return ratio
        raise TooSlow(
            f"Too slow: {ratio:.3g} times the reference's processor time ({1000 * yours:.3g} ms against "
            f"{1000 * ours:.3g} ms); at most {times:g} times is asked for. "
            "Are there Python loops over the elements?"
        )


def _is_plain(value: object) -> bool:
    """Whether a value came over whole: an object that stayed in its worker cannot be compared."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return type(value) in (np.ndarray, TensorArray, bool, int, float, complex) or isinstance(value, np.generic)
