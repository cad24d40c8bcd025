"""The `kernel` fixture of the hidden suites: speed against the reference, memory seen from outside."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from ..errors import TooSlow
from ..remote import RemoteTransport
from ..student import Student
from . import machine, memory
from .ladder import Rung, Standing, better, growth, rungs, words, worse
from .look import Draw, Look, Run
from .race import ALL, Case, Defences, Inconclusive, Race, estimate
from .sides import Side, own_core

ATTEMPTS = 2  # a verdict that is not the best one is reached twice, in fresh workers
MOST_INCONCLUSIVE = 4  # such a try says nothing of the kernel and is no attempt; after so many the machine is given up
MOST_SECONDS = 17.0  # on the clock, for the rounds of all tries at one verdict

Give = Callable[[float], None]


class Kernel(Look):
    """The fixture where a submission is graded.

    Args:
        student: the student's module, wherever it runs.
        fresh: makes a student's and a reference's worker.
        defences: against cheats; tests switch some off.
    """

    most_seconds = MOST_SECONDS

    def __init__(
        self, student: Student, fresh: Callable[[], tuple[Student, Student]], defences: Defences = ALL
    ) -> None:
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
            TooSlow: a higher rung would give more points; says where it stands.
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
        if standing.rung is None or standing.rung.share < ladder[0].share:
            raise TooSlow(text)
        return standing

    def enter(
        self, wanted: bool, what: str, run: Run, cases: Sequence[Case], small: Case,
        table: Mapping[str, tuple[float, float]],
    ) -> None:  # fmt: skip
        """Enter the course's board, if the student wants that: after two comparisons, each with a secret of its own.

        Args:
            wanted: whether the student asked for it.
            what: the exercise, as the board calls it.
            run: as for `climb`.
            cases: as for `climb`.
            small: as for `climb`.
            table: as for `climb`.
        """
        if not wanted:
            self.told.append("You are not on the board: set LEADERBOARD to True in your file if you want to be.")
            return
        ladder = rungs(table)
        last = time.monotonic() + self.most_seconds
        standing = worse(
            *[
                self._attempt(run, cases, small, ladder, _next_end(last, left), exact=True)
                for left in range(ATTEMPTS, 0, -1)
            ]
        )
        if standing.rung is None or standing.suspicious:
            self.told.append(f"Not entered: {standing.suspicious or 'it stands below the ladder'}.")
            return
        column = f"{what}, {standing.rung.name}, {self._machine()}"
        self.board.append((column, round(standing.ratio, 3), "asc"))
        self.told.append(f"Entered: {column}: {standing.ratio:.2f} times {standing.against}.")

    def _attempts(self, run: Run, cases: Sequence[Case], small: Case, ladder: Sequence[Rung]) -> Standing:
        found: Standing | None = None
        slow: TooSlow | None = None
        inconclusive, left, last = 0, ATTEMPTS, time.monotonic() + self.most_seconds
        while left:
            try:
                standing = self._attempt(run, cases, small, ladder, _next_end(last, left))
            except Inconclusive:
                inconclusive += 1
                if inconclusive == MOST_INCONCLUSIVE or time.monotonic() >= last:
                    raise
                continue
            except TooSlow as error:  # once may be this machine
                slow = error
            else:
                found = standing if found is None else better(found, standing)
                if found.rung == ladder[0]:
                    break
            left -= 1
        if found is None:
            assert slow is not None
            raise slow
        return found

    def _attempt(
        self, run: Run, cases: Sequence[Case], small: Case, ladder: Sequence[Rung], end: float, *, exact: bool = False
    ) -> Standing:
        with self._sides() as (student, reference):
            peak = self._peak_flops()
            found = estimate(student, reference, run, small, cases[0], ladder, peak)
            for place, case in enumerate(cases if found is None else ()):
                seconds = (end - time.monotonic()) / (len(cases) - place)
                race = Race(
                    student, reference, run, case, ladder, peak, self._defences, exact=exact, seconds=seconds
                )  # fmt: skip
                standing = race.standing()
                found = standing if found is None else worse(found, standing)
                if found.rung is None:
                    break
            assert found is not None
            return found

    @contextlib.contextmanager
    def _sides(self) -> Iterator[tuple[Side, Side]]:
        """The student's and the reference's side, on a core of their own."""
        with self._pair() as (mine, ours), own_core() as core:
            student, reference = (Side(module, freezes=self._defences.freezes) for module in (mine, ours))
            student.meet(core)
            reference.meet(core)
            yield student, reference

    def _peak_flops(self) -> float:
        return machine.peak_flops()

    def _machine(self) -> str:
        return machine.machine_class()

    @contextlib.contextmanager
    def _pair(self) -> Iterator[tuple[Student, Student]]:
        """Workers of both sides, closed at the end. How the student's ended, if it did, is the submission's end."""
        mine, ours = self._fresh()
        try:
            yield mine, ours
        finally:
            mine.close()
            ours.close()
            whole = self._student.transport
            if isinstance(whole, RemoteTransport) and isinstance(mine.transport, RemoteTransport):
                whole.ends.extend(mine.transport.ends)

    def insist_on_memory(
        self,
        run: Run,
        sizes: Mapping[int, Draw],
        *,
        most: float,
        growth_at_most: float | None = None,
        work: int,
        name: str,
    ) -> dict[int, float]:
        """Fail when a call takes too much memory beyond its inputs and its result, or when that grows too fast.

        Args:
            run: called as run(module, *inputs).
            sizes: {size: draws inputs of that size}; the smallest one only has every line run once.
            most: MiB that the largest may take.
            growth_at_most: how many times the memory of the second smallest the largest may take.
            work: the power of the size that the work grows with.
            name: what is measured, as a student reads it.

        Returns:
            The extra memory in bytes for each size but the smallest.

        Raises:
            TooMuchMemory: it takes too much.
            TooSlow: it would take too long to find out.
        """
        __tracebackhide__ = True
        rng = np.random.default_rng(secrets.randbits(128))
        warm, *larger = sorted(sizes)
        peaks: dict[int, float] = {}
        for size in larger:
            peaks[size] = memory.taken(self._pair, run, sizes[warm], sizes[size], rng, (size / warm) ** work)
            if peaks[size] > most * 2**20:
                break  # too much already: what is larger takes more
        text = growth(name, peaks)
        last = max(peaks)
        if peaks[last] > most * 2**20:
            raise memory.TooMuchMemory(
                f"Too much memory: {peaks[last] / 2**20:.0f} MiB beyond inputs and result at {last}; "
                f"at most {most:.0f} MiB are asked for.\n{text}"
            )
        times = peaks[last] / peaks[min(peaks)]
        if growth_at_most is not None and times > growth_at_most:
            raise memory.TooMuchMemory(
                f"The memory grows too fast: {times:.1f} times as much at {last} as at {min(peaks)}; "
                f"at most {growth_at_most:g} times is asked for.\n{text}"
            )
        self.told.append(text)
        return peaks

    def _peak(self, run: Run, draw: Draw, warm: Draw, rng: np.random.Generator) -> float:
        return memory.taken(self._pair, run, warm, draw, rng, 1.0)


def _next_end(last: float, left: int) -> float:
    """When the next of so many attempts is to be over; what one leaves, the others have."""
    now = time.monotonic()
    return now + (last - now) / left
