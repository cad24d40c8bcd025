"""The `kernel` fixture of the visible suites: what a student sees at home of a kernel's speed and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..student import Student
from . import machine
from .ladder import growth, landmarks

LOOKS = 5  # calls of which the fastest is shown
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
    """

    def __init__(self, student: Student) -> None:
        self._student = student
        self.told: list[str] = []

    def begin(self) -> None:
        """Start a test."""
        self.told = []

    def look(self, run: Run, draw: Draw, flops: float, table: Mapping[str, float], name: str) -> None:
        """Tell how fast the student's kernel is here, as a share of what a matrix product reaches. Nothing fails.

        Args:
            run: called as run(module, *inputs).
            draw: makes inputs from a generator.
            flops: operations of one call.
            table: {name of another solution: its share of the peak in per cent, as measured by the authors}.
            name: what is measured.
        """
        __tracebackhide__ = True
        inputs = draw(np.random.default_rng(0))
        seconds = min(self._seconds(lambda: run(self._student, *inputs)) for _ in range(LOOKS))
        way = min(self._seconds(lambda: self._student.echo([*inputs])) for _ in range(LOOKS))
        speed = flops / max(seconds - way, SHORTEST)
        share = 100.0 * speed / machine.peak_flops()
        self.told.append(
            f"{name}: {speed / 1e9:.3g} GFLOP/s, {share:.2g} % of the {machine.peak_flops() / 1e9:.0f} GFLOP/s that a "
            f"matrix product reaches here. The others were measured by the authors.\n{landmarks(share, table)}"
        )

    def look_at_memory(self, run: Run, sizes: Mapping[int, Draw], name: str) -> None:
        """Tell how the memory of the student's kernel grows with a length. Nothing fails."""
        __tracebackhide__ = True
        rng, warm = np.random.default_rng(0), sizes[min(sizes)]
        peaks = {size: self._peak(run, sizes[size], warm, rng) for size in sorted(sizes)}
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
                run(self._student, *inputs)
                return float(max(tracemalloc.get_traced_memory()[1], LEAST_MEMORY))
            finally:
                tracemalloc.stop()
