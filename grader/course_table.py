"""The table of the course in docs/course.md: what every section holds, counted anew, and what its proof took."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import course, session
from .course import Section
from .errors import AskedWrongly
from .mistakes import catalogue
from .results import PlannedTest

if TYPE_CHECKING:
    from .validate import Proof

COMMAND = "nnkit validate --mode local --table docs/course.md"
HEADING = (
    "section", "title", "visible tests", "hidden tests", "points", "mistakes", "killed", "by so many", "that kill",
    "named", "not nameable", "reference s", "proof s",
)  # fmt: skip
COUNTED = len(HEADING) - 2  # columns that follow from the course's files alone; the others are measured
INTRODUCTION = """\
# The course

Every finished section: what it holds, and what it takes to prove it. The table is made by `{command}`, never by hand; a
test holds that its counts are the course's.

- *Visible tests*, *hidden tests*: with every case of a parametrised test counted.
- *Mistakes*: how many ways of getting it wrong the catalogue states. *Killed*: how many of them the hidden tests fail.
- *By so many*: the fewest and the most hidden tests, by their numbers (13.H1, ...), that a mistake names and that were
  each seen to fail it; others may fail it too. *That kill*: how many of these numbers kill at least one mistake.
- *Named*: mistakes whose sentence the diagnosis says, and no other's. *Not nameable*: those that no output tells apart;
  the catalogue gives each one's reason.
- *Seconds* are of one machine and day, here {day}, {machine}, on one thread of a machine that others may have used: read
  them against each other. They are of the processor: *reference*, its first run on both suites, with everything that it
  imports but without the workers that speed is measured in; *proof*, everything that `nnkit validate` does with the
  section in local mode, with {seeds}, workers included.
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a section holds."""

    visible: int  # tests, every case of a parametrised one counted
    hidden: int
    numbers: int  # that the hidden tests have: 13.H1, ...
    killing: int  # of these numbers, how many kill at least one mistake
    fewest: int  # numbers that one mistake is killed by
    most: int
    named: int  # mistakes
    not_nameable: int

    @property
    def mistakes(self) -> int:
        """All of the catalogue."""
        return self.named + self.not_nameable


def counts(section: Section) -> Counts:
    """Count what a section holds: the suites are collected and the catalogue is read, nothing is run.

    Raises:
        CourseError: a suite cannot be collected, or the catalogue not be read.
    """
    planned: list[PlannedTest] = []
    session.run([section.visible_suite, section.hidden_suite], [], points=section.points, planned=planned.extend)
    mistakes = catalogue(section.mistakes, section.reference)
    hidden = [test.number for test in planned if test.suite == "hidden"]
    brackets = [set(wrong.killed_by) for wrong in mistakes]
    sizes = [len(bracket) for bracket in brackets] or [0]
    named = sum(wrong.not_nameable is None for wrong in mistakes)
    return Counts(
        len(planned) - len(hidden), len(hidden), len(set(hidden)), len(set(hidden).intersection(*[set().union(*brackets)])),
        min(sizes), max(sizes), named, len(mistakes) - named,
    )  # fmt: skip


def row(section: Section, counted: Counts) -> list[str]:
    """The cells of a section's row that follow from its files, in a course whose proof holds."""
    return [
        section.number, section.title, str(counted.visible), str(counted.hidden), f"{section.points:g}",
        str(counted.mistakes), f"{counted.mistakes} of {counted.mistakes}", _span(counted.fewest, counted.most),
        f"{counted.killing} of {counted.numbers}", str(counted.named), str(counted.not_nameable),
    ]  # fmt: skip


def text(proofs: Sequence[Proof]) -> str:
    """The whole page, from green proofs in local mode, one of every section."""
    lines, seeds = [], {proof.seeds for proof in proofs}
    for proof in proofs:
        section = course.section(proof.section)
        lines.append([*row(section, counts(section)), f"{proof.reference_seconds:.1f}", f"{proof.seconds:.0f}"])
    page = INTRODUCTION.format(
        command=COMMAND,
        day=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=f"{platform.machine()}, Python {platform.python_version()}",
        seeds=f"{_span(min(seeds), max(seeds))} seed{'s' * (seeds != {1})}",
    )
    rule = ["---", "---", *["--:"] * (len(HEADING) - 2)]
    return page + "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in [HEADING, rule, *lines])


def write(path: Path, proofs: Sequence[Proof]) -> None:
    """Write the page.

    Raises:
        AskedWrongly: it cannot be written there.
    """
    page = text([proof for proof in proofs if proof.mode == "local"])
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise AskedWrongly(f"{path} cannot be written ({error.strerror}); name another file after --table.") from None


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"
