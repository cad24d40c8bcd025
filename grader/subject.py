"""Whose code is under test, and what a test of it may use: what the plugin's fixtures hand out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .seeds import Seeds
from .student import Step, Student

if TYPE_CHECKING:
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
    """

    slug: str
    student: Student
    seeds: Seeds
    reference: Student | None = None
    speed: Speed | None = None
    kernel: Look | None = None
    diagnose: Diagnose = field(default=no_diagnosis)
    training: Training | None = None

    def begin(self, suite: str, test: str) -> None:
        """Start a test: nothing of the one before is left."""
        inside = self.seeds.inside(suite, self.slug, test)
        self.student.begin_test(inside)
        if self.reference is not None:
            self.reference.begin_test(inside)
        if self.kernel is not None:
            self.kernel.begin()
