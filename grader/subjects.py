"""Makes subjects out of a section's files: in this process, or in jailed workers forked from a zygote."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import course, data, imports, sandbox
from .course import Section
from .diagnosis import Diagnosis
from .errors import OurFault
from .foreseeing import ForeseeingTransport, Foreseen
from .kernels.kernel import Kernel
from .mistakes import Mistake, catalogue
from .processes import Client, FreshClient, Patience, Zygote
from .remembering import Remembering
from .remote import Budget, RemoteTransport
from .seeds import Seeds
from .speed import Speed
from .student import Student
from .subject import Subject, no_diagnosis
from .training import Training
from .transport import Files, LocalTransport, Transport

if TYPE_CHECKING:
    from .kernels.gpu import DeviceKernel

MEMORY = 4 << 30  # bytes of address space of one worker; torch alone maps 700 MB
TEST_CPU = 5.0  # seconds a single question may take at least, of processor time
WALL_FACTOR = 8.0  # honest code on a busy machine gets a fraction of a core
BUDGET_FACTOR = 5.0  # times what the reference may use for the whole suite
# After a first timeout most others are the same loop again: a tenth of what the reference needs for all tests is
# plenty for one question, and thirty more loops still leave the other functions their time.
AFTER_TIMEOUT_FACTOR, AFTER_TIMEOUT_CPU = 0.1, 0.3
AFTER_TIMEOUT_WALL = 10.0  # a busy machine may leave anybody waiting for seconds
# Code of ours serves a whole class from one worker: only a single question is bounded.
OURS = Budget(math.inf, math.inf, Patience(60.0, 600.0), Patience(60.0, 600.0))
OUR_CEILINGS = sandbox.Ceilings(MEMORY, 1_000_000)


def wants_torch(section: Section) -> bool:
    """Whether the section's code runs where torch is warm."""
    return "torch" in section.libraries


def zygote_for(sections: Sequence[Section], level: sandbox.Level = "strict") -> Zygote:
    """Start a zygote that is warm for all of these sections, at a level of isolation."""
    modules = {name for section in sections for name in imports.allowed(section) if name != "__future__"}
    return Zygote(any(map(wants_torch, sections)), modules, level)


def submission(section: Section, sources: dict[str, bytes]) -> Files:
    """A submission's files, as the worker wants them."""
    return Files(sources, section.slug, section.number, imports.allowed(section))


def with_used(section: Section, source: bytes) -> Files:
    """A file of ours as a submission, beside the references of the sections that it uses."""
    theirs = {f"{each.slug}.py": each.reference.read_bytes() for each in course.used(section)}
    return submission(section, {**theirs, f"{section.slug}.py": source})


def budget_for(section: Section) -> Budget:
    """What a submission may use in a section."""
    question = max(section.cpu_seconds, TEST_CPU)
    most = BUDGET_FACTOR * section.cpu_seconds + TEST_CPU
    after = max(AFTER_TIMEOUT_FACTOR * section.cpu_seconds, AFTER_TIMEOUT_CPU)
    later = Patience(after, max(after * WALL_FACTOR, AFTER_TIMEOUT_WALL))
    return Budget(most, most * WALL_FACTOR, Patience(question, question * WALL_FACTOR), later)


class Makers:
    """Makes subjects for one section; keeps what they share: the reference, the catalogue, the workers of our own.

    Args:
        section: the section.
        seeds: of the course.
        client: where workers come from; None keeps everything in this process.
        diagnosing: whether failures are explained.
        gpu: whether kernels are measured on this machine's device too.
        mistakes: the section's catalogue, where it has been read already.
        foreseeing: whether all subjects go through all tests, so that they can be asked ahead.
    """

    def __init__(
        self, section: Section, seeds: Seeds, client: Client | None, *, diagnosing: bool = True, gpu: bool = False,
        mistakes: list[Mistake] | None = None, foreseeing: bool = False,
    ) -> None:  # fmt: skip
        self.section, self.seeds, self._gpu = section, seeds, gpu
        if mistakes is not None:
            self.mistakes = mistakes
        self._client, self._diagnosing = client, diagnosing
        self._foreseen = Foreseen() if foreseeing else None
        self._own_client: Client | None = None
        self._device_clients: list[FreshClient] = []
        self._zygote: Zygote | None = None
        self._ceilings = sandbox.Ceilings(MEMORY, int(budget_for(section).cpu) + 2)
        self.digits: Callable[[], data.Digits] = data.find
        self._known: dict[Any, Any] = {}  # what trainings remember from one subject to the next

    @cached_property
    def reference_files(self) -> Files:
        """The reference as a submission."""
        return with_used(self.section, self.section.reference.read_bytes())

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """The section's catalogue."""
        return catalogue(self.section.mistakes, self.section.reference)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """Names mistakes."""
        if self._torch_elsewhere:
            shared = RemoteTransport(self._workers(), OUR_CEILINGS, OURS, reuse=True)
            return Diagnosis(self.reference_files, self.mistakes, lambda: shared, keep=False)
        return Diagnosis(self.reference_files, self.mistakes, LocalTransport)

    def subject(self, files: Files) -> Subject:
        """Make a subject of these files."""
        student = Student(self._place(), files, self.section.may_change)
        diagnose = self.diagnosis if self._diagnosing else no_diagnosis
        speed, kernel = Speed(lambda: self._sides(student)), Kernel(student, lambda: self._fresh_pair(files))
        return Subject(
            self.section.slug, student, self.seeds, self._reference, speed, kernel, diagnose, self._training(student),
            self._on_device(student, files),
        )  # fmt: skip

    def order_next(self) -> None:
        """Have the next subject's worker made while the present one is tested."""
        if self._client is not None:
            self._client.order(self._ceilings)

    def close(self) -> None:
        """Let go of everything of our own."""
        for name in ("_reference", "_reference_worker", "_speed_student", "diagnosis"):
            if name in self.__dict__:
                with contextlib.suppress(OurFault):  # whatever is gone is let go of
                    self.__dict__.pop(name).close()
        for client in (self._own_client, *self._device_clients):
            if client is not None:
                client.close()
        if self._zygote is not None:
            self._zygote.close()

    @property
    def _torch_elsewhere(self) -> bool:
        """Whether our own code runs in workers too: torch stays out of the trusted process."""
        return self._client is not None and wants_torch(self.section)

    @cached_property
    def _reference(self) -> Student:
        place = Remembering(self._our_place())
        return Student(place, self.reference_files, self.section.may_change, observe=False, ours=True)

    @cached_property
    def _reference_worker(self) -> Student:
        place = self._our_worker()
        return Student(place, self.reference_files, self.section.may_change, observe=False, ours=True)

    def _sides(self, student: Student) -> tuple[Student, Student]:
        """Student and reference in workers of their own; in local mode workers are made just for this."""
        if isinstance(student.transport, RemoteTransport):
            return student, self._reference_worker
        with contextlib.suppress(KeyError):
            self.__dict__.pop("_speed_student").close()
        self.__dict__["_speed_student"] = Student(self._worker(), student.files, self.section.may_change, observe=False)
        return self.__dict__["_speed_student"], self._reference_worker

    def _fresh_pair(self, files: Files) -> tuple[Student, Student]:
        """A student's code and the reference's, each in a worker that nothing has run in yet."""
        mine = Student(self._worker(), files, self.section.may_change, observe=False)
        return mine, Student(self._our_worker(), self.reference_files, observe=False, ours=True)

    def _on_device(self, student: Student, files: Files) -> DeviceKernel | None:
        """Kernels on the device, each side's in a process of its own at the level gpu."""
        if not self._gpu:
            return None
        from .kernels import cuda, gpu, tracks  # torch: only where a device is asked for

        if self.section.number not in tracks.TRACKS:
            return None
        if not self._device_clients:
            self._device_clients = gpu.clients()
        return gpu.on_device(self.section.number, student, files.sources, cuda, self._device_clients)

    def _training(self, student: Student) -> Training:
        """Trainings of this student's code; a worker that is ended in one ends like any other of the submission's."""

        def ended(ends: list[tuple[str, str]]) -> None:
            if isinstance(student.transport, RemoteTransport):
                student.transport.ends.extend(ends)

        def alone(seconds: float) -> Student:
            patience = Patience(seconds, seconds * WALL_FACTOR)
            budget = Budget(seconds, patience.wall, patience, patience, "The {} for this training are used up.")
            place = RemoteTransport(self._workers(), sandbox.Ceilings(MEMORY, int(seconds) + 2), budget)
            return Student(place, student.files, self.section.may_change, observe=False)

        def reference(_seconds: float) -> Student:
            return Student(self._our_worker(), self.reference_files, self.section.may_change, observe=False, ours=True)

        return Training(alone, reference, self.digits, ended, self._known)

    def _place(self) -> Transport:
        if self._client is None:
            return LocalTransport()
        if self._foreseen is None:
            return self._worker()
        return ForeseeingTransport(self._foreseen, self._client, self._ceilings, budget_for(self.section))

    def _our_place(self) -> Transport:
        return self._our_worker() if self._torch_elsewhere else LocalTransport()

    def _our_worker(self) -> RemoteTransport:
        return RemoteTransport(self._workers(), OUR_CEILINGS, OURS)

    def _worker(self) -> RemoteTransport:
        return RemoteTransport(self._workers(), self._ceilings, budget_for(self.section))

    def _workers(self) -> Client:
        if self._client is not None:
            return self._client
        if self._own_client is None:
            self._zygote = zygote_for([self.section])
            self._own_client = self._zygote.client()
        return self._own_client


@contextlib.contextmanager
def makers(
    section: Section, seeds: Seeds, client: Client | None, *, diagnosing: bool = True, gpu: bool = False,
    mistakes: list[Mistake] | None = None, foreseeing: bool = False,
) -> Iterator[Makers]:  # fmt: skip
    """Makers that are closed at the end."""
    made = Makers(section, seeds, client, diagnosing=diagnosing, gpu=gpu, mistakes=mistakes, foreseeing=foreseeing)
    try:
        yield made
    finally:
        made.close()
