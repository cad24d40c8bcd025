"""Speed as a ratio to the reference, by a clock that the student's code cannot touch (design.md, contract 2).

Student and reference run in workers of their own. The processor time of each is read from outside, before and after a
call; the cost of sending the same data there and back is subtracted, as the reference's worker shows it: the student's
could make it dear. Runs alternate; the fastest run of each counts, and every answer must be the reference's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .codec import TensorArray
from .compare import assert_close
from .errors import OurFault, TooSlow
from .remote import RemoteTransport
from .student import Student

ROUNDS = 5
MOST_ROUNDS = 15
HOPELESS = 4.0  # so many times over the limit after two rounds: noise cannot explain it
SMALLEST = 50e-6  # seconds; below this the clock and the kernel's own work drown the difference
RTOL, ATOL = 5e-3, 1e-5  # an answer that was computed at all; how exact it must be, other tests say


@dataclass(slots=True)
class _Runner:
    """One side of the comparison."""

    module: Student
    prepared: tuple[Any, ...] = ()
    best: float = math.inf
    best_echo: float = math.inf
    cpu: Callable[[], float] = field(init=False)

    def __post_init__(self) -> None:
        transport = self.module.transport
        if not isinstance(transport, RemoteTransport):
            raise OurFault("Speed is measured between workers; this module runs in the grader's own process.")
        self.cpu = transport.cpu

    def echo(self, inputs: tuple[Any, ...]) -> None:
        start = self.cpu()
        self.module.echo(list(inputs))
        self.best_echo = min(self.best_echo, self.cpu() - start)

    def round(self, run: Callable[..., object], inputs: tuple[Any, ...]) -> object:
        start = self.cpu()
        answer = run(self.module, *self.prepared, *inputs)
        self.best = min(self.best, self.cpu() - start)
        return answer


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
        runners = []
        for module in ours_and_theirs:
            with module.unwatched():
                runners.append(_Runner(module, (prepare(module),) if prepare else ()))
        ratio = math.inf
        for done in range(1, MOST_ROUNDS + 1):
            drawn = inputs()
            student, reference = runners
            answers: dict[int, object] = {}
            for runner in runners if done % 2 else reversed(runners):
                with runner.module.unwatched():
                    if runner is reference:
                        runner.echo(drawn)
                    answers[id(runner)] = runner.round(run, drawn)
            if _is_plain(answers[id(reference)]):
                yours, expected = answers[id(student)], answers[id(reference)]
                assert_close(yours, expected, rtol=RTOL, atol=ATOL, name="the answer that was timed")
            took = [max(runner.best - reference.best_echo, SMALLEST) for runner in runners]
            ratio = took[0] / took[1]
            enough = done >= ROUNDS or (done >= 2 and ratio <= times / 2)
            if (enough and ratio <= times) or (done >= 2 and ratio > times * HOPELESS):
                break
        if ratio <= times:
            return ratio
        raise TooSlow(
            f"Too slow: {ratio:.3g} times the reference's processor time ({1000 * took[0]:.3g} ms against "
            f"{1000 * took[1]:.3g} ms); at most {times:g} times is asked for. "
            "Are there Python loops over the elements?"
        )


def _is_plain(value: object) -> bool:
    """Whether a value came over whole: an object that stayed in its worker cannot be compared."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return type(value) in (np.ndarray, TensorArray, bool, int, float, complex) or isinstance(value, np.generic)
