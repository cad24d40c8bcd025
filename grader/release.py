"""What goes to students besides the exercises: the answers that known mistakes give to the visible tests.

Wrong answers only, never code: with them a student's own machine can say which mistake an output looks like.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from . import session
from .course import Section
from .diagnosis import decoded as decoded_frame
from .diagnosis import mutant_files, reached, read_shipped, replay, same, same_answer, write_shipped
from .errors import OurFault
from .mistakes import reach
from .results import PlannedTest, TestOutcome
from .seeds import Seeds
from .student import Step, Student
from .subject import Subject
from .subjects import Makers, makers
from .transport import Files, LocalTransport

SHIPPED_LIMIT = 200_000  # bytes of one transcript; what is larger is not worth its place in every student's install

Known = dict[str, list[tuple[str, int, list[Step]]]]


@session.unheard()
def wrong_outputs(section: Section) -> Known:
    """Run the visible suite on every mistake and keep, for every test it fails, the transcript.

    Returns:
        By test: sentence (empty where the mistake cannot be named), first step that differs from the reference, transcript.
    """
    known: Known = {}
    with makers(section, Seeds(b""), None, diagnosing=False) as made:
        reaches = _reaches(made, section)
        visits = []
        for wrong in made.mistakes:
            # What cannot be named goes along without a sentence: an output like it has no other mistake's name either.
            says = wrong.says if wrong.not_nameable is None else ""
            visits.append(_visit(made, mutant_files(made.reference_files, wrong), says, known))
            visits[-1].wants = _coming_to(wrong.target, reaches)
        if visits:
            session.run([section.visible_suite], visits, points=1.0)
    return known


def _reaches(made: Makers, section: Section) -> dict[str, set[str]]:
    """By visible test, the names of the reference that it comes to: what is wrong elsewhere does not concern it."""
    found: dict[str, set[str]] = {}
    visit = _visit(made, made.reference_files, "", {})
    known = reach(section.reference.read_text("utf-8"))

    def heard(outcome: TestOutcome) -> bool:
        transcript = visit.subject.student.transcript
        if transcript:
            # Where the first question is too large already, no mistake's answers to this test are shipped.
            large = sum(map(len, transcript[0].question)) > SHIPPED_LIMIT
            found[outcome.name] = set() if large else reached(transcript, known)
        return True

    visit.heard = heard
    session.run([section.visible_suite], [visit], points=1.0)
    return found


def _coming_to(target: str, reaches: dict[str, set[str]]) -> Callable[[PlannedTest], bool]:
    """Which tests come to a name."""
    return lambda test: target in reaches.get(test.name, {target})


def _visit(made: Makers, files: Files, says: str, known: Known) -> session.Visit:
    student = Student(LocalTransport(), files, made.section.may_change)
    reference = LocalTransport()

    def heard(outcome: TestOutcome) -> bool:
        transcript = student.transcript
        if outcome.status == "failed" and transcript and _bytes(transcript) <= SHIPPED_LIMIT:
            if not reference.loaded():
                reference.load(made.reference_files, 0)
            differs = replay(reference, transcript)
            if differs is not None:
                known.setdefault(outcome.name, []).append((says, differs, transcript))
        return True

    return session.Visit(Subject(made.section.slug, student, made.seeds), heard=heard)


def _bytes(transcript: list[Step]) -> int:
    """How much a transcript takes, leaving out the few bytes of functions that were passed in."""
    return sum(len(part) for step in transcript for part in (*step.question, *step.answer))


def write_wrong_outputs(section: Section) -> Path:
    """Make a section's wrong_outputs.bin anew."""
    path = section.wrong_outputs
    path.write_bytes(write_shipped(path, wrong_outputs(section)))
    return path


def is_fresh(section: Section) -> bool:
    """Whether wrong_outputs.bin holds what would be made now, up to rounding."""
    if not section.wrong_outputs.is_file():
        return False
    try:
        shipped = read_shipped(section.wrong_outputs)
    except (OurFault, OSError):
        return False
    return _same_known(shipped, wrong_outputs(section))


def _same_known(one: Known, other: Known) -> bool:
    return one.keys() == other.keys() and all(_same_entries(one[test], other[test]) for test in one)


def _same_entries(one: list[tuple[str, int, list[Step]]], other: list[tuple[str, int, list[Step]]]) -> bool:
    return len(one) == len(other) and all(
        a[:2] == b[:2] and len(a[2]) == len(b[2]) and all(map(_same_step, a[2], b[2]))
        for a, b in zip(one, other, strict=True)
    )


def _same_step(one: Step, other: Step) -> bool:
    return same_answer(one.answer, other.answer) and same(decoded_frame(one.question), decoded_frame(other.question))
