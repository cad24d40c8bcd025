"""The `kernel` fixture of the visible suites: what a student sees at home of a kernel's speed and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..student import Student
from . import machine
from .ladder import figure, growth, landmarks

LOOKS = 5  # calls of which the fastest is shown
LONGEST_LOOK = 2.0  # seconds; what takes longer is seen at a smaller size, or once
SHORTEST = 1e-5  # seconds; nothing is faster once the cost of handing the data over is taken off
LEAST_MEMORY = 1 << 20  # bytes; below this nothing is told

Run = Callable[..., object]
Draw = Callable[[np.random.Generator], tuple[Any, ...]]


class Look:
    """The fixture.

    Args:
        student: the student's module, wherever it runs.

    Attributes:
        told: what to tell of the present test even where it passes.
        board: entries for the course's board that the present test has made: column, value, order.
    """

    def __init__(self, student: Student) -> None:
        self._student, self._took = student, 0.0
        self.told: list[str] = []
        self.board: list[tuple[str, float, str]] = []

    def begin(self) -> None:
        """Start a test."""
        self.told, self.board = [], []

    def look(self, run: Run, sizes: Sequence[tuple[float, Draw]], table: Mapping[str, float], name: str) -> None:
        """Tell how fast the student's kernel is here, as a share of what a matrix product reaches. Nothing fails.

        Args:
            run: called as run(module, *inputs).
            sizes: (operations of one call, draws its inputs), the smallest first; a slow kernel meets only that.
            table: {name of another solution: its share of the peak in per cent, as measured by the authors}.
            name: what is measured.
        """
        __tracebackhide__ = True
        rng = np.random.default_rng(0)
        seconds = flops = 0.0
        for operations, draw in sizes:
            if flops and seconds * operations / flops > LONGEST_LOOK:
                break
            seconds, flops = self._fastest(run, draw(rng)), operations
        speed, peak = flops / seconds, machine.peak_flops()
        share = 100.0 * speed / peak
        self.told.append(
            f"{name}: {figure(speed / 1e9)} GFLOP/s, {figure(share)} % of the {figure(peak / 1e9)} GFLOP/s that a matrix "
            f"product reaches here. The others were measured by the authors.\n{landmarks(share, table)}"
        )

    def _fastest(self, run: Run, inputs: tuple[Any, ...]) -> float:
        """Seconds of processor time of the fastest of some calls, without what handing the data over takes."""
        first = self._seconds(lambda: run(self._student, *inputs))
        often = LOOKS if first * LOOKS < LONGEST_LOOK else 1
        seconds = min(self._seconds(lambda: run(self._student, *inputs)) for _ in range(often))
        way = min(self._seconds(lambda: self._student.echo([*inputs])) for _ in range(LOOKS))
        return max(min(first, seconds) - way, SHORTEST)

    def look_at_memory(self, run: Run, sizes: Mapping[int, Draw], name: str) -> None:
        """Tell how the memory of the student's kernel grows with a length. Nothing fails."""
        __tracebackhide__ = True
        rng, warm = np.random.default_rng(0), sizes[min(sizes)]
        peaks = {}
        for size in sorted(sizes):
            peaks[size] = self._peak(run, sizes[size], warm, rng)
            if self._took > LONGEST_LOOK / 4:
                break  # the next one would take several times as long
        self.told.append(growth(name, peaks))

    def _seconds(self, action: Callable[[], object]) -> float:
        clock: Callable[[], float] = getattr(self._student.transport, "cpu", time.process_time)
        with self._student.unwatched():
            self._student._loaded()
            start = clock()
            action()
            return clock() - start

    def _peak(self, run: Run, draw: Draw, warm: Draw, rng: np.random.Generator) -> float:
        """Most memory of one call in this process, as Python and numpy report it."""
        inputs = draw(rng)
        with self._student.unwatched():
            self._student._loaded()
            run(self._student, *warm(rng))
            tracemalloc.start()
            try:
                self._took = self._seconds(lambda: run(self._student, *inputs))
                return float(max(tracemalloc.get_traced_memory()[1], LEAST_MEMORY))
            finally:
                tracemalloc.stop()
