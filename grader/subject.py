"""Whose code is under test, and what a test of it may use: what the plugin's fixtures hand out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .seeds import Seeds
from .student import Step, Student

if TYPE_CHECKING:
    from .kernels.gpu import DeviceKernel
    from .kernels.look import Look
    from .speed import Speed
    from .training import Training

Diagnose = Callable[[str, list[Step]], str]


def no_diagnosis(_test: str, _transcript: list[Step]) -> str:
    """Where no catalogue of mistakes is at hand, nothing is said."""
    return ""


@dataclass(slots=True)
class Subject:
    """One student's code in one section.

    Attributes:
        slug: the section's module name; part of every seed.
        student: what a test calls.
        reference: the reference, called the same way; hidden suites only.
        seeds: makes the seeds of tests.
        speed: compares processor time; hidden suites only.
        kernel: measures speed and memory of kernels.
        diagnose: names the known mistake that a test's transcript looks like, or "".
        training: has the code train in a worker of its own; hidden suites only.
        gpu: measures kernels on a device; where a section has a part for one, and it was asked for.
    """

    slug: str
    student: Student
    seeds: Seeds
    reference: Student | None = None
    speed: Speed | None = None
    kernel: Look | None = None
    diagnose: Diagnose = field(default=no_diagnosis)
    training: Training | None = None
    gpu: DeviceKernel | None = None

    @property
    def told(self) -> list[str]:
        """What was measured in the present test, to be told even where it passes."""
        return [line for each in (self.kernel, self.gpu) if each is not None for line in each.told]

    @property
    def board(self) -> list[tuple[str, float, str]]:
        """Entries for the course's board that the present test has made."""
        return [entry for each in (self.kernel, self.gpu) if each is not None for entry in each.board]

    @property
    def log(self) -> list[str]:
        """What is told of the present test whether it passes or fails."""
        return self.gpu.log if self.gpu is not None else []

    def begin(self, suite: str, test: str) -> None:
        """Start a test: nothing of the one before is left."""
        inside = self.seeds.inside(suite, self.slug, test)
        self.student.begin_test(inside)
        if self.reference is not None:
            self.reference.begin_test(inside)
        for each in (self.kernel, self.gpu):
            if each is not None:
                each.begin()
