"""`nnkit check`: the visible suite on the student's own file.

pytest runs in a child (`check_session`) that this process watches, because student code can swallow any signal and
loop for ever. A test that runs over its limit ends the child; a new one goes on with the tests after it.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import course, workspace
from .course import Section
from .errors import AskedWrongly, CourseError, OurFault

MEMORY = 4 << 30  # bytes in use
START_SECONDS = 120.0  # until the first test begins, on the clock; importing torch takes two
TEST_CPU = 20.0  # seconds one test may take at least, of processor time
WALL_FACTOR = 6.0
PULSE = 0.2  # seconds between two looks at the child
VISIBLE_SHARE = 0.2  # of a section's points, as in results.py, which would bring numpy along
MAIN = "nnkit.grader.check_session"


@dataclass(slots=True)
class Checked:
    """What came out of one section's check."""

    section: Section
    file: Path
    result: dict[str, Any]  # as in docs/json.md
    hidden_points: float
    differs: bool = False  # the student's own copy of the suite is another one than the course's
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every visible test passed."""
        tests = self.result["tests"]
        return bool(tests) and all(test["status"] == "passed" for test in tests)

    @property
    def unknown(self) -> bool:
        """Whether something of ours went wrong."""
        return self.result["state"] == "unknown" or any(t["status"] == "unknown" for t in self.result["tests"])


@dataclass(slots=True)
class Limits:
    """What one test may use before the child is ended."""

    cpu: float
    wall: float
    memory: int = MEMORY


def sections(names: Sequence[str], start: Path) -> list[Section]:
    """The sections asked for, or those found here."""
    return [course.section(name) for name in names] if names else workspace.sections_here(start)


def check(section: Section, start: Path, *, keyword: str = "") -> Checked:
    """Run a section's visible suite on the student's file, watched.

    Args:
        section: which.
        start: where the person stands.
        keyword: as pytest's -k.

    Raises:
        WorkspaceError: the file is not there.
        AskedWrongly: no test matches the keyword.
        OurFault: the check itself did not work.
    """
    file = workspace.find(section, start).absolute()
    most = max(section.cpu_seconds, TEST_CPU)
    limits = Limits(most, most * WALL_FACTOR)
    skip: dict[str, tuple[str, str]] = {}  # test: state and sentence of what ended the child in it
    outcomes: dict[str, dict[str, Any]] = {}
    while True:
        run = _Run(section, file, keyword, [*outcomes, *skip], limits)
        run.watch()
        if run.wrong:
            raise {2: AskedWrongly, 3: OurFault}[run.wrong[0]](run.wrong[1])
        outcomes.update(run.outcomes)
        if run.result is not None:
            return _checked(section, file, run, outcomes, skip)
        if run.current is None or run.current in skip:
            raise OurFault(f"The check of section {section.number} ended before any test: {run.last_words()}")
        skip[run.current] = run.ended or ("crashed", f"It ended the whole process with exit code {run.code}.")


class _Run:
    """One child and what it has told."""

    def __init__(self, section: Section, file: Path, keyword: str, skip: list[str], limits: Limits) -> None:
        self._limits = limits
        order = {"section": section.number, "file": str(file), "keyword": keyword, "skip": skip}
        self._process = subprocess.Popen(
            [sys.executable, "-m", MAIN, json.dumps(order)],
            stdout=subprocess.PIPE,  # the child's words to us; what the student prints goes to stderr
            stdin=subprocess.DEVNULL,
            cwd=file.parent if file.parent.is_dir() else None,
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.planned: list[dict[str, Any]] = []
        self.result: dict[str, Any] | None = None
        self.current: str | None = None
        self.ended: tuple[str, str] | None = None
        self.wrong: tuple[int, str] | None = None
        self.code = 0
        self._since = time.monotonic()
        self._cpu_before = 0.0

    def watch(self) -> None:
        """Listen until the child is through or has to be ended."""
        try:
            while self._more():
                pass
        finally:
            if self._process.poll() is None and self.result is None:
                self._process.kill()
            self.code = self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def _more(self) -> bool:
        try:
            line = self._lines.get(timeout=PULSE)
        except queue.Empty:
            return not self._over()
        if not line:
            return False
        try:
            message = json.loads(line)
        except ValueError:
            return True  # the student's code wrote to the channel; what it says is not ours
        self._hear(message)
        return True

    def _hear(self, message: Any) -> None:
        match message:
            case {"planned": list(planned)}:
                self.planned = planned
            case {"begin": str(name)}:
                self.current, self._since, self._cpu_before = name, time.monotonic(), _cpu_of(self._process.pid)
            case {"outcome": {"name": str(name)} as outcome}:
                self.outcomes[name], self.current = outcome, None
            case {"result": dict(result)}:
                self.result = result
            case {"wrong": [int(code), str(sentence)]}:
                self.wrong = (code, sentence)

    def _over(self) -> bool:
        limits = self._limits
        passed = time.monotonic() - self._since
        if self.current is None:
            if passed > START_SECONDS and not self.outcomes and not self.planned:
                self.wrong = (3, f"The tests did not start within {START_SECONDS:.0f} s.")
            return self.wrong is not None
        used = _cpu_of(self._process.pid) - self._cpu_before
        if used > limits.cpu:
            self.ended = ("timeout", f"It was stopped after {used:.0f} s of processor time: does a loop never end?")
        elif passed > limits.wall:
            self.ended = ("timeout", f"It was stopped after {passed:.0f} s: does something wait for ever?")
        elif (memory := _memory_of(self._process.pid)) > limits.memory:
            self.ended = ("out_of_memory", f"It was stopped when it used {memory / 2**30:.1f} GiB of memory.")
        return self.ended is not None

    def last_words(self) -> str:
        """How the child ended, for a message of ours."""
        return f"exit code {self.code}"


def _checked(
    section: Section, file: Path, run: _Run, outcomes: dict[str, dict[str, Any]], skip: dict[str, tuple[str, str]]
) -> Checked:
    assert run.result is not None
    result = run.result
    tests = []
    for planned in run.planned:
        outcome = outcomes.get(planned["name"]) or {
            **planned, "status": "failed", "score": 0.0, "seconds": 0.0, "diagnosis": "",
            "message": skip.get(planned["name"], ("", "It did not run."))[1],
        }  # fmt: skip
        tests.append(outcome)
    result["tests"] = tests
    for key in ("score", "max_score", "seconds"):
        result[key] = round(sum(test[key] for test in tests), 6)
    if result["state"] == "graded" and skip:
        result["state"], result["detail"] = next(iter(skip.values()))
    own = file.with_name(section.visible_suite.name)
    differs = own.is_file() and own.read_bytes() != section.visible_suite.read_bytes()
    return Checked(section, file, result, (1 - VISIBLE_SHARE) * section.points, differs)


def following(done: Sequence[Section], start: Path) -> Section | None:
    """The section to go on with: the first after these that builds on one of them and was not begun here."""
    numbers = {section.number for section in done}
    for folder in course.folders().values():
        try:
            section = course.read(folder)
        except CourseError:
            continue  # a damaged section must not hide what was found out about another
        if numbers & set(section.after) and workspace.state(section, start) != "changed":
            return section
    return None


def debug(section: Section, start: Path, *, keyword: str = "") -> int:
    """Run the suite in this very process and stop in the debugger at the first failure; nothing guards anything."""
    from . import check_session

    return check_session.debug(section, workspace.find(section, start).absolute(), keyword)


def _cpu_of(pid: int) -> float:
    """Processor time of a child, in seconds; 0 where only the clock on the wall can be read."""
    read: Callable[[int], float] | None = getattr(time, "clock_gettime", None)
    if read is None or not sys.platform.startswith("linux"):
        return 0.0
    try:
        return read(((~pid) << 3) | 2)
    except OSError:
        return 0.0  # it has just ended


def _memory_of(pid: int) -> int:
    """Memory in use by a child, in bytes; 0 where it cannot be read."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
