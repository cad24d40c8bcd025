"""The child of `nnkit check`: one pytest session on the student's file, in this very process.

Its only argument is the order as JSON. It writes one JSON object per line to what was its standard output; what the
student's code prints goes to standard error, so that `nnkit check --json` stays one document.
"""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

# Importing numpy, pytest and torch makes a million objects that stay; looking through them is a tenth of the start.
if __name__ == "__main__":
    gc.disable()

from . import course, imports, local, session
from .course import Section
from .errors import AskedWrongly, NnkitError, NothingMatches, ProtocolError
from .results import PlannedTest, State, TestOutcome, clean
from .student import Student
from .transport import Files, Frame, LocalTransport


class _Channel:
    """Writes messages to the watching process. Every message starts a line, whatever else was written before it."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        # What is printed is seen at once, and also when the process is ended from outside.
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]

    def tell(self, **message: Any) -> None:
        self._file.write(f"\n{json.dumps(message, allow_nan=False)}\n")
        self._file.flush()


class _Nobody(io.TextIOBase):
    """Standard input: there is nobody who could answer."""

    def readable(self) -> bool:
        """Say yes: the question may be asked."""
        return True

    def readline(self, _size: int | None = -1, /) -> NoReturn:
        """End input() with a reason."""
        raise EOFError("nobody answers input() in a check; take the value as an argument, or write it into the code")

    read = readline


class _Told(LocalTransport):
    """Tells when the student's file is being imported: what is stopped then stops every test."""

    def __init__(self, channel: _Channel) -> None:
        super().__init__()
        self._channel = channel

    def load(self, files: Files, seed: int) -> Frame:
        self._channel.tell(loading=True)
        frame = super().load(files, seed)
        self._channel.tell(loading=False)
        return frame


def run(order: dict[str, Any], channel: _Channel) -> None:
    """Run the suite and tell everything as it happens."""
    section = course.section(order["section"])
    skip = set(order["skip"])
    file = Path(order["file"])
    static = imports.check(local.sources_of(file, section), section)
    subject = local.subject_of(file, section, _Told(channel))

    def plan(tests: list[PlannedTest]) -> None:
        channel.tell(planned=[asdict(TestOutcome.of(test, "failed")) for test in tests])

    def heard(outcome: TestOutcome) -> bool:
        channel.tell(outcome=asdict(outcome))
        return True

    def wants(test: PlannedTest) -> bool:
        return test.name not in skip and not static.refused and not static.unparsable

    visit = session.Visit(subject, wants, heard, begins=lambda test: channel.tell(begin=test.name))
    session.run([section.visible_suite], [visit], points=section.points, planned=plan, keyword=order["keyword"])
    state, detail = _state(static, subject.student)
    channel.tell(state=[state, clean(detail)])


def _state(static: imports.ImportReport, student: Student) -> tuple[State, str]:
    if static.refused:
        return "refused", " ".join(finding.sentence for finding in static.refused[:3])
    if static.unparsable:
        return "import_error", " ".join(finding.sentence for finding in static.unparsable[:3])
    if student.cannot_load is not None:
        return "import_error", str(student.cannot_load)
    return "graded", ""


def debug(section: Section, file: Path, keyword: str) -> int:
    """Run in this process with pytest's own output and its debugger."""
    subject = local.subject_of(file, section)
    left: set[str] = set()

    def heard(outcome: TestOutcome) -> bool:
        if outcome.status == "passed":
            left.remove(outcome.name)
        return True

    visit = session.Visit(subject, heard=heard)
    session.run(
        [section.visible_suite],
        [visit],
        points=section.points,
        planned=lambda tests: left.update(test.name for test in tests),
        keyword=keyword,
        debugger=True,
    )
    return 1 if left else 0


def _stay_with(parent: int) -> None:
    """End with the watching process, however that ends."""
    if sys.platform == "linux":
        from .sandbox import Job
        from .sandbox.tether import DiesWithParent

        DiesWithParent().apply(Job.empty())
        if os.getppid() != parent:
            os._exit(1)  # it ended before


def main() -> None:
    """Read the order, run, and put what is wrong into one sentence."""
    channel = _Channel()
    order = json.loads(sys.argv[1])
    _stay_with(order["parent"])
    sys.stdin = _Nobody()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored, and so would we
    gc.freeze()
    gc.enable()
    code = 0
    try:
        run(order, channel)
    except NothingMatches as error:
        channel.tell(nothing=str(error))
    except AskedWrongly as error:
        channel.tell(wrong=[2, str(error)])
    except (NnkitError, ProtocolError) as error:
        channel.tell(wrong=[3, str(error)])
    except KeyboardInterrupt:
        code = 130
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # the student's code closed it or put something else there
    os._exit(code)  # threads and exit handlers of the student's are not waited for


if __name__ == "__main__":
    main()
