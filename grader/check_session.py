"""The child of `nnkit check`: one pytest session on the student's file, in this very process.

Its only argument is the order as JSON. It writes one JSON object per line to what was its standard output; what the
student's code prints goes to standard error, so that `nnkit check --json` stays one document.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Importing numpy, pytest and torch makes a million objects that stay; looking through them is a tenth of the start.
gc.disable()

from . import course, imports, local, session  # noqa: E402
from .course import Section  # noqa: E402
from .errors import AskedWrongly, NnkitError, ProtocolError  # noqa: E402
from .results import PlannedTest, SectionResult, TestOutcome, as_plain, completed  # noqa: E402
from .student import CannotLoad  # noqa: E402


class _Channel:
    """Writes messages to the watching process."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def tell(self, **message: Any) -> None:
        self._file.write(json.dumps(message, allow_nan=False) + "\n")
        self._file.flush()


def run(order: dict[str, Any], channel: _Channel) -> None:
    """Run the suite and tell everything as it happens."""
    section = course.section(order["section"])
    skip = set(order["skip"])
    file = Path(order["file"])
    static = imports.check(local.read_sources(file), section)
    subject = local.subject_of(file, section)
    outcomes: dict[str, TestOutcome] = {}
    planned: list[PlannedTest] = []

    def plan(tests: list[PlannedTest]) -> None:
        planned.extend(tests)
        channel.tell(planned=[asdict(test) for test in tests])

    def heard(outcome: TestOutcome) -> bool:
        outcomes[f"{outcome.suite}:{outcome.name}"] = outcome
        channel.tell(outcome=asdict(outcome))
        return True

    def wants(test: PlannedTest) -> bool:
        return test.name not in skip and not static.refused

    visit = session.Visit(subject, wants, heard, begins=lambda test: channel.tell(begin=test.name))
    session.run([section.visible_suite], [visit], points=section.points, planned=plan, keyword=order["keyword"])
    result = _result(section, planned, outcomes, static, subject.student.cannot_load)
    channel.tell(result=as_plain(result))


def _result(
    section: Section, planned: list[PlannedTest], outcomes: dict[str, TestOutcome], static: imports.ImportReport,
    cannot_load: CannotLoad | None,
) -> SectionResult:  # fmt: skip
    if static.refused:
        detail = " ".join(finding.sentence for finding in static.refused[:3])
        return completed("", section.number, planned, outcomes, "refused", detail)
    if cannot_load is not None:
        return completed("", section.number, planned, outcomes, "import_error", str(cannot_load))
    return completed("", section.number, planned, outcomes, "graded")


def debug(section: Section, file: Path, keyword: str) -> int:
    """Run in this process with pytest's own output and its debugger."""
    subject = local.subject_of(file, section)
    failed: list[str] = []

    def heard(outcome: TestOutcome) -> bool:
        if outcome.status != "passed":
            failed.append(outcome.name)
        return True

    visit = session.Visit(subject, heard=heard)
    session.run([section.visible_suite], [visit], points=section.points, keyword=keyword, debugger=True)
    return 1 if failed else 0


def main() -> None:
    """Read the order, run, and put what is wrong into one sentence."""
    channel = _Channel()
    try:
        run(json.loads(sys.argv[1]), channel)
    except AskedWrongly as error:
        channel.tell(wrong=[2, str(error)])
    except (NnkitError, ProtocolError) as error:
        channel.tell(wrong=[3, str(error)])
    sys.stderr.flush()
    os._exit(0)  # threads and exit handlers of the student's are not waited for


if __name__ == "__main__":
    main()
