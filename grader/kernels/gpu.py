"""The `gpu` fixture: values, speed and place on the board of a student's kernels on a device.

The protocol, the ladder and the verdict are those of the processor's tiers; what differs is where the kernels run, whose
clock counts, and how an answer is judged.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np

from ..student import MissingName, Student
from . import tracks
from .kernel import Give, Kernel
from .ladder import Standing
from .race import ALL, Case, Defences
from .sides import Side
from .stage import DeviceSide, Stage, own_device


class DeviceKernel(Kernel):
    """The fixture.

    Args:
        number: of the section.
        student: the student's module on the processor: how the worker on the device ends is its end.
        fresh: makes a student's and torch's worker.
        device: the device's few calls.
        present: whether the student handed in a file for the device.
        defences: against cheats; tests switch some off.

    Attributes:
        log: what is told of the present test whether it passes or fails: clocks, temperature, throttling.
    """

    most_seconds = 60.0  # judging an answer takes longer here than computing it

    def __init__(
        self, number: str, student: Student, fresh: Callable[[], tuple[Student, Student]], device: ModuleType,
        *, present: bool = True, defences: Defences = ALL,
    ) -> None:  # fmt: skip
        super().__init__(student, fresh, defences)
        self._track, self._number, self._device, self._present = tracks.track(number), number, device, present
        self._stage: Stage | None = None
        self.log: list[str] = []

    def begin(self) -> None:
        """Start a test."""
        super().begin()
        self.log = []

    def right(self, kind: str, *, back: bool) -> None:
        """Hold that the student's kernels are right in one kind of number, on sizes that are not timed.

        Args:
            kind: float32, float16 or bfloat16.
            back: whether the gradients are asked for.

        Raises:
            Mismatch: a value is further off than rounding explains.
            MissingName: there is no file for the device.
        """
        __tracebackhide__ = True
        rng = np.random.default_rng(secrets.randbits(128))
        with self._staged() as stage, self._sides() as (student, _reference):
            for question in self._track.values(back=back):
                inputs = question.draw(rng, kind, stage.ground)
                tracks.judge(student.call(tracks.run, inputs).answer, [], inputs)

    def climb_track(self, *, back: bool, give: Give) -> Standing:
        """Find the rung of the student's kernels against torch's own, and give its share of the points.

        Args:
            back: whether the gradients are timed.
            give: as for `climb`.

        Raises:
            TooSlow: a higher rung would give more points; says where it stands.
            Mismatch: an answer that was timed is wrong.
            Inconclusive: this device is too unsteady; costs no points.
            MissingName: there is no file for the device.
        """
        __tracebackhide__ = True
        with self._staged() as stage:
            return self.climb(tracks.run, *self._cases(stage, back=back), self._track.ladder, give)

    def enter_track(self, wanted: bool, what: str) -> None:
        """Enter the course's board for this kind of device, if the student wants that; see `enter`."""
        __tracebackhide__ = True
        if not wanted:
            self.enter(wanted, what, tracks.run, [], tracks.NO_CASE, self._track.ladder)
            return
        with self._staged() as stage:
            self.enter(wanted, what, tracks.run, *self._cases(stage, back=False), self._track.ladder)

    def _cases(self, stage: Stage, *, back: bool) -> tuple[list[Case], Case]:
        peak, bandwidth = stage.peak(tracks.TIMED)
        timed = self._track.timed(peak, self._device.LASTS, back=back)
        small = self._track.timed(peak, 0.0, back=back)[0]
        cases = [tracks.case(question, stage.ground, peak, bandwidth) for question in (*timed, small)]
        return cases[:-1], cases[-1]

    @contextlib.contextmanager
    def _staged(self) -> Iterator[Stage]:
        """The device, for this comparison alone."""
        if not self._present:
            raise MissingName(f"There is no {self._track.stem}.py beside the file for the processor.")
        with own_device():
            self._device.begin()
            stage = self._stage = Stage(self._device)
            before = self._device.facts()
            try:
                yield stage
            finally:
                self.log.append(f"{self._device.name()}: before {before}; after {self._device.facts()}")
                self._stage = None
                stage.close()

    @contextlib.contextmanager
    def _sides(self) -> Iterator[tuple[Side, Side]]:
        """The student's and torch's side, in processes of the level gpu."""
        assert self._stage is not None
        sides: list[DeviceSide] = []
        try:
            with self._pair() as modules:
                sides += [
                    DeviceSide(
                        module, self._stage, ours=ours, freezes=self._defences.freezes, poisons=self._defences.poisons
                    )
                    for module, ours in zip(modules, (False, True), strict=True)
                ]
                sides[0].meet(None)
                yield sides[0], sides[1]
        finally:
            for side in sides:  # the memory goes once nobody has it open
                side.close()

    def _peak_flops(self) -> float:
        assert self._stage is not None
        return self._stage.peak(tracks.TIMED)[0]

    def _machine(self) -> str:
        return str(self._device.name())
