"""The `gpu` fixture: values, speed and place on the board of a student's kernels on a device.

The protocol, the ladder and the verdict are those of the processor's tiers; what differs is where the kernels run, whose
clock counts, and how an answer is judged.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from ..compare import Mismatch
from ..errors import OurFault, TooSlow
from ..processes import FreshClient
from ..remote import RemoteTransport
from ..student import MissingName, Student, StudentError
from ..transport import Files
from . import tracks
from .interpreted import BUDGET, CEILINGS
from .kernel import Give, Kernel
from .ladder import Standing
from .race import ALL, Case, Defences
from .sides import Side
from .stage import DeviceSide, Stage, files_of, our_files, own_device

LEVEL = "gpu"
SLOTS = (4000, 4001)  # users of the student's and of our process, where we are root: neither reaches the other's


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
            whole = self._student.transport
            if isinstance(whole, RemoteTransport) and LEVEL not in whole.layers:
                whole.layers = [*whole.layers, LEVEL]  # every result tells that it rests on the weaker level too

    def _peak_flops(self) -> float:
        assert self._stage is not None
        return self._stage.peak(tracks.TIMED)[0]

    def _machine(self) -> str:
        return str(self._device.name())


def clients() -> list[FreshClient]:
    """Where the student's and our processes on the device come from."""
    return [FreshClient(["numpy", "torch"], slot) for slot in SLOTS]


def on_device(
    number: str, student: Student, sources: dict[str, bytes], device: ModuleType, places: list[FreshClient]
) -> DeviceKernel:
    """Make the fixture for a submission.

    Args:
        number: of the section.
        student: the submission on the processor.
        sources: its files.
        device: the device's few calls.
        places: as `clients` makes them.
    """
    stem = tracks.track(number).stem

    def fresh() -> tuple[Student, Student]:
        mine, ours = (RemoteTransport(place, CEILINGS, BUDGET) for place in places)
        return (
            Student(mine, files_of(sources, stem, number, device), observe=False),
            Student(ours, our_files(number, device), observe=False, ours=True),
        )

    return DeviceKernel(number, student, fresh, device, present=f"{stem}.py" in sources)


def examine(number: str, file: Path, device: ModuleType) -> list[str]:
    """Measure a student's own kernels on this machine's device; return what to tell. It gives no points.

    Args:
        number: of the section.
        file: the student's file for the processor; the one for a device lies beside it.
        device: the device's few calls.
    """
    sources = {path.name: path.read_bytes() for path in file.parent.glob("*.py")}
    places = clients()
    with contextlib.ExitStack() as held:
        for place in places:
            held.enter_context(contextlib.closing(place))
        beside = Student(RemoteTransport(places[0], CEILINGS, BUDGET), Files({}, file.stem, number, ()))
        return _examined(on_device(number, beside, sources, device, places))


def _examined(kernel: DeviceKernel) -> list[str]:
    lines = []
    for back, name in ((False, "forward"), (True, "backward")):
        for kind in tracks.KINDS:
            told = _told(lambda: kernel.right(kind, back=back))  # noqa: B023 - called at once
            lines.append(f"gpu-time: {name}, {kind}: {told or 'right'}")
        kernel.begin()
        told = _told(lambda: kernel.climb_track(back=back, give=lambda _share: None))  # noqa: B023 - called at once
        lines += [f"gpu-time: {line}" for line in (told or kernel.told[0]).splitlines() + kernel.log]
    return lines


def _told(action: Callable[[], object]) -> str:
    """What went wrong in a student's code, or "". What is ours is told too: nothing is graded here."""
    try:
        action()
    except (Mismatch, TooSlow, StudentError, OurFault) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - an exception of the student's keeps its type
        return f"{type(error).__name__}: {error}"
    return ""
