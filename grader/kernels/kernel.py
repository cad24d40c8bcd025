"""The `kernel` fixture of the hidden suites: speed against the reference, memory seen from outside."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import TooSlow
from ..student import Student
from . import machine, memory
from .ladder import Rung, Standing, better, growth, rungs, words, worse
from .look import Draw, Look, Run
from .race import ALL, Case, Defences, Race, estimate
from .sides import Side, own_core

ATTEMPTS = 2  # a verdict that is not the best one is reached twice, in fresh workers

Give = Callable[[float], None]


class Kernel(Look):
    """The fixture where a submission is graded.

    Args:
        student: the student's module, wherever it runs.
        fresh: makes a student's and a reference's worker.
        defences: against cheats; tests switch some off.
    """

    def __init__(self, student: Student, fresh: memory.Fresh, defences: Defences = ALL) -> None:
        super().__init__(student)
        self._fresh, self._defences = fresh, defences

    @staticmethod
    def case(name: str, draw: Draw, flops: float, atol: float) -> Case:
        """Make a case for `climb`; see `Case`."""
        return Case(name, draw, flops, atol)

    def climb(
        self, run: Run, cases: Sequence[Case], small: Case, table: Mapping[str, tuple[float, float]], give: Give
    ) -> Standing:
        """Find the rung of the student's kernel, and give its share of the points.

        Args:
            run: called as run(module, *inputs).
            cases: the sizes that are timed; the lowest standing counts.
            small: a small size, from which it is seen whether the others would take too long.
            table: {name of a rung: (times the reference's processor time at most, share of the points)}.
            give: called with the share of the points before anything can fail.

        Raises:
            TooSlow: it is not on the highest rung; says where it stands.
            Mismatch: an answer that was timed is wrong.
            Inconclusive: this machine is too unsteady; costs no points.
        """
        __tracebackhide__ = True
        ladder = rungs(table)
        give(0.0)
        standing = self._attempts(run, cases, small, ladder)
        give(standing.rung.share if standing.rung else 0.0)
        text = words(standing, ladder)
        self.told.append(text)
        if standing.rung is not ladder[0]:
            raise TooSlow(text)
        return standing

    def _attempts(self, run: Run, cases: Sequence[Case], small: Case, ladder: Sequence[Rung]) -> Standing:
        found: Standing | None = None
        alarm: TooSlow | None = None
        for _ in range(ATTEMPTS):
            try:
                standing = self._attempt(run, cases, small, ladder)
            except TooSlow as error:  # it waits more than it works: once may be this machine
                alarm = error
                continue
            found = standing if found is None else better(found, standing)
            if found.rung is ladder[0]:
                break
        if found is None:
            assert alarm is not None
            raise alarm
        return found

    def _attempt(self, run: Run, cases: Sequence[Case], small: Case, ladder: Sequence[Rung]) -> Standing:
        mine, ours = self._fresh()
        try:
            with own_core() as core:
                student, reference = (Side(module, freezes=self._defences.freezes) for module in (mine, ours))
                student.meet(core)
                reference.meet(core)
                found = estimate(student, reference, run, small, cases[0], ladder, machine.peak_flops())
                for case in cases if found is None else ():
                    race = Race(student, reference, run, case, ladder, machine.peak_flops(), self._defences)
                    standing = race.standing()
                    found = standing if found is None else worse(found, standing)
                    if found.rung is None:
                        break
                assert found is not None
                return found
        finally:
            mine.close()
            ours.close()

    def insist_on_memory(
        self, run: Run, sizes: Mapping[int, Draw], *, most: float, growth_at_most: float | None = None, name: str
    ) -> dict[int, float]:
        """Fail when a call takes too much memory beyond its inputs and its result, or when that grows too fast.

        Args:
            run: called as run(module, *inputs).
            sizes: {length: draws inputs of that length}; the shortest one only has every line run once.
            most: MiB that the longest may take.
            growth_at_most: how many times the memory of the second shortest the longest may take.
            name: what is measured, as a student reads it.

        Returns:
            The extra memory in bytes for each length but the shortest.
        """
        __tracebackhide__ = True
        rng = np.random.default_rng(secrets.randbits(128))
        warm, *lengths = sorted(sizes)
        peaks: dict[int, float] = {}
        for length in lengths:
            peaks[length] = memory.taken(self._fresh, run, sizes[warm], sizes[length], rng)
            if peaks[length] > most * 2**20:
                break  # too much already: what is longer takes more
        text = growth(name, peaks)
        self.told.append(text)
        last = max(peaks)
        if peaks[last] > most * 2**20:
            raise memory.TooMuchMemory(
                f"Too much memory: {peaks[last] / 2**20:.0f} MiB beyond inputs and result at length {last}; "
                f"at most {most:g} MiB are asked for.\n{text}"
            )
        times = peaks[last] / peaks[min(peaks)]
        if growth_at_most is not None and times > growth_at_most:
            raise memory.TooMuchMemory(
                f"The memory grows too fast: {times:.1f} times as much at length {last} as at {min(peaks)}; "
                f"at most {growth_at_most:g} times is asked for.\n{text}"
            )
        return peaks

    def _peak(self, run: Run, draw: Draw, warm: Draw, rng: np.random.Generator) -> float:
        return memory.taken(self._fresh, run, warm, draw, rng)
