"""One comparison of a student's kernel with the reference: fresh inputs, alternating calls, a ratio and how sure it is.

Every timed call gets inputs of its own, drawn from a secret that is made for this comparison and sent when the clock
starts. In a round both sides work on the same two inputs in the order S R R S or R S S R, so that what drifts, and what
comes first, meets both alike. Every answer that was timed is kept and compared with the reference's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compare import assert_close, assert_dtype, assert_shape
from ..errors import OurFault, TooSlow
from . import statistics
from .ladder import Rung, Standing
from .look import Draw, Run
from .sides import Sample, Side

WARM_UP = 3  # calls of each side that are checked but not counted
LONG = 0.25  # seconds; a kernel that takes longer is warm after one call
ROUNDS = (9, 15, 25, 49)  # after so many it is looked whether all thresholds are decided
FEWEST_ROUNDS = 3
FAR = 1.5  # times or parts of a threshold: where all of the first rounds lie so far from each, more would not help
MOST_SECONDS = 10.0  # on the clock, for the rounds of one comparison
SMALLEST = 20e-6  # seconds; nothing is faster once the cost of sending is taken off
SAME = (0.85, 1.18)  # the reference against itself
STEADY = 2.0  # the reference's usual time as a multiple of its best
OUTSIDE = 1.0  # times what the reference waits and works: who waits longer has the work done elsewhere
FASTER = 0.8  # of the reference's time: possible, but a person looks before it goes on a board

Words = NDArray[Any]


class Inconclusive(OurFault):
    """This machine was too unsteady for a verdict on speed. It never costs points."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is timed.

    Attributes:
        name: as a student reads it, "forward, 4 images of 64 x 56 x 56".
        draw: makes the inputs of one call from a generator.
        flops: floating-point operations of one call that an honest kernel cannot avoid.
        atol: how far an entry may lie from the reference's: derived from both kernels' rounding.
        judge: called with the student's answer, the reference's and the inputs, in place of that; raises Mismatch.
        against: what a time is compared with, as a student reads it.
        peak: operations per second that can be done here in this case's kind of numbers; the race's own where 0.
        least: seconds below which no machine of this kind moves the data.
    """

    name: str
    draw: Draw
    flops: float
    atol: float
    judge: Callable[[Any, Any, tuple[Any, ...]], None] | None = None
    against: str = "the reference's processor time"
    peak: float = 0.0
    least: float = 0.0

    def check(self, theirs: Sample, ours: Sample, inputs: tuple[Any, ...]) -> None:
        """Hold that a timed answer is right. Raises Mismatch."""
        if self.judge is not None:
            self.judge(theirs.answer, ours.answer, inputs)
        else:
            check_answer(theirs.answer, ours.answer, self.atol)


@dataclass(frozen=True, slots=True)
class Defences:
    """What the protocol does against cheats; each may be switched off by a test that shows what it is for."""

    fresh_inputs: bool = True
    checks_every_answer: bool = True
    freezes: bool = True
    watches_waiting: bool = True
    poisons: bool = True  # on a device: outputs are overwritten before every call


ALL = Defences()


@dataclass(slots=True)
class Race:
    """Times one case.

    Args:
        student: the student's side.
        reference: the reference's side.
        run: called as run(module, *inputs).
        case: what is timed.
        ladder: the rungs, the best first.
        peak: operations per second that this machine can do.
        defences: against cheats; tests switch some off.
        exact: whether the ratio itself is wanted, not only on which rung it is.
        seconds: on the clock, for the rounds.
    """

    student: Side
    reference: Side
    run: Run
    case: Case
    ladder: Sequence[Rung]
    peak: float
    defences: Defences = ALL
    exact: bool = False
    seconds: float = MOST_SECONDS
    ratios: list[float] = field(default_factory=list)
    _theirs: list[Sample] = field(default_factory=list)
    _ours: list[Sample] = field(default_factory=list)
    _after_student: list[float] = field(default_factory=list)
    _rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(secrets.randbits(128)))
    _repeated: tuple[Any, ...] | None = None
    _way: float = 0.0

    def standing(self) -> Standing:
        """Run the rounds and say where the student's kernel stands.

        Raises:
            Mismatch: an answer that was timed is wrong.
            TooSlow: the work is done outside of the process whose clock is read.
            Inconclusive: this machine was too unsteady.
        """
        self._warm_up()
        deadline = time.monotonic() + self.seconds
        for number in range(ROUNDS[-1]):
            self._round(number)
            done = number + 1
            if done >= FEWEST_ROUNDS and (time.monotonic() > deadline or (self._far() and not self.exact)):
                break
            if done in ROUNDS and self._decided():
                break
        self._look_at_health()
        if self.defences.watches_waiting:
            self._look_at_waiting()
        return self._verdict()

    def _fresh(self) -> tuple[Any, ...]:
        """Inputs that no worker has seen."""
        if self.defences.fresh_inputs or self._repeated is None:
            self._repeated = self.case.draw(self._rng)
        return self._repeated

    def _warm_up(self) -> None:
        ways = []
        for _ in range(WARM_UP):
            inputs = self._fresh()
            theirs, ours = self.student.call(self.run, inputs), self.reference.call(self.run, inputs)
            self._check(theirs, ours, inputs)
            ways.append(self.reference.way(inputs, ours.answer))
            if theirs.seconds > LONG:
                break  # what the first call of a process costs is little beside it
        self._way = median(ways)

    def _round(self, number: int) -> None:
        first, second = self._fresh(), self._fresh()
        if number % 2 == 0:
            s1, r1 = self.student.call(self.run, first), self.reference.call(self.run, first)
            r2, s2 = self.reference.call(self.run, second), self.student.call(self.run, second)
            self._after_student.append(r1.seconds)
        else:
            r1, s1 = self.reference.call(self.run, first), self.student.call(self.run, first)
            s2, r2 = self.student.call(self.run, second), self.reference.call(self.run, second)
            self._after_student += [r1.seconds, r2.seconds]
        self._check(s1, r1, first)
        self._check(s2, r2, second)
        self._theirs += [s1, s2]
        self._ours += [r1, r2]
        self.ratios.append(self._net(s1, s2) / self._net(r1, r2))

    def _net(self, *samples: Sample) -> float:
        return sum(max(sample.seconds - self._way, SMALLEST) for sample in samples)

    def _check(self, theirs: Sample, ours: Sample, inputs: tuple[Any, ...]) -> None:
        if self.defences.checks_every_answer:
            self.case.check(theirs, ours, inputs)

    def _decided(self) -> bool:
        return all(statistics.decide(self.ratios, rung.at_most) != "open" for rung in self.ladder)

    def _far(self) -> bool:
        low, high = min(self.ratios), max(self.ratios)
        return all(high < rung.at_most / FAR or low > rung.at_most * FAR for rung in self.ladder)

    def _look_at_health(self) -> None:
        """The reference is compared with itself; what it cannot hold, no verdict can rest on."""
        times = self._after_student
        ratio = median(times[::2]) / median(times[1::2]) if len(times) > 1 else 1.0
        if len(self.ratios) >= ROUNDS[0] and not SAME[0] <= ratio <= SAME[1]:
            raise Inconclusive(
                f"This machine is too busy to measure speed: the reference differed from itself by a factor of {ratio:.2f}."
            )
        usual, best = median(s.seconds for s in self._ours), min(s.seconds for s in self._ours)
        if usual > STEADY * best:
            raise Inconclusive(
                f"This machine is too busy to measure speed: the reference usually took {usual / best:.1f} times its best time."
            )

    def _look_at_waiting(self) -> None:
        theirs, ours = (median(sample.waited for sample in side) for side in (self._theirs, self._ours))
        usual = OUTSIDE * (ours + median(sample.seconds for sample in self._ours))
        if theirs > usual:
            raise TooSlow(
                f"{self.case.name}: the answers were waited for {theirs / usual:.1f} times as long as sending and the reference's "
                "work explain. Work that is done outside of the process, or put off, is not measured here."
            )

    def _verdict(self) -> Standing:
        low, high = statistics.interval(self.ratios)
        ratio = median(self.ratios)
        seconds = median(max(s.seconds - self._way, SMALLEST) for s in self._theirs)
        rung = next((rung for rung in self.ladder if self._reaches(rung)), None)
        told, peak = "", self.case.peak or self.peak
        if self.case.flops / seconds > peak:
            told = "it does more operations per second than this machine can"
        elif seconds < self.case.least:
            told = "it is faster than this machine moves the data"
        elif high < FASTER:
            told = f"it takes {ratio:.2f} of the reference's time"
        return Standing(
            self.case.name, rung, ratio, low, high, seconds, self.case.flops, peak,
            len(self.ratios), suspicious=told, against=self.case.against,
        )  # fmt: skip

    def _reaches(self, rung: Rung) -> bool:
        decision = statistics.decide(self.ratios, rung.at_most)
        return decision == "yes" or (decision == "open" and statistics.in_doubt(self.ratios, rung.at_most))


def estimate(
    student: Side, reference: Side, run: Run, small: Case, large: Case, ladder: Sequence[Rung], peak: float
) -> Standing | None:
    """Time a small input first: a kernel that would take minutes for the large one never sees it.

    Returns:
        A standing below the ladder, or None where the large input is to be tried.
    """
    rng = np.random.default_rng(secrets.randbits(128))
    theirs = ours = 0.0
    for _ in range(2):  # the first call of a process pays for what is there afterwards
        inputs = small.draw(rng)
        answers = student.call(run, inputs), reference.call(run, inputs)
        small.check(*answers, inputs)
        theirs, ours = (max(sample.seconds, SMALLEST) for sample in answers)
    whole = large.draw(rng)
    least = min(reference.call(run, whole).seconds for _ in range(WARM_UP))
    # What a call costs whatever its size makes the second ratio too large, so both must say it.
    ratio = min(theirs / ours, theirs * large.flops / small.flops / least)
    if ratio <= FAR * ladder[-1].at_most:
        return None
    return Standing(
        large.name,
        None,
        ratio,
        0.0,
        0.0,
        ratio * least,
        large.flops,
        large.peak or peak,
        0,
        given_up=True,
        against=large.against,
    )


def check_answer(theirs: object, ours: object, atol: float) -> None:
    """Hold that a timed answer is the reference's, in kind, shape and every entry.

    It came as the bytes of one message: there is no region of memory that the worker could still write to.

    Raises:
        Mismatch: it is not.
    """
    parts, expected = _parts(theirs), _parts(ours)
    if len(parts) != len(expected):
        assert_close(theirs, ours, name="the answer that was timed")  # says what came instead
    for part, right in zip(parts, expected, strict=True):
        if not np.isfinite(right).all():
            raise OurFault("The reference's answer on a timed input is not finite.")
        name = "the answer that was timed"
        assert_dtype(part, right.dtype, name=name)
        assert_shape(part, right.shape, name=name)
        assert_close(part, right, rtol=0.0, atol=atol, name=name)


def _parts(answer: object) -> list[Words]:
    entries = answer if isinstance(answer, list | tuple) else [answer]
    return [entry for entry in entries if isinstance(entry, np.ndarray)]
