"""`nnkit check`: the visible suite on the student's own file.

pytest runs in a child (`check_session`) that this process watches, because student code can swallow any signal and
loop for ever. A test that runs over its limit ends the child; a new one goes on with the tests after it.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from . import course, workspace
from .course import Section
from .environment import ONE_THREAD
from .errors import AskedWrongly, CourseError, NothingMatches, OurFault

MEMORY = 4 << 30  # bytes in use
START_SECONDS = 120.0  # until the first test begins, on the clock; importing torch takes two
TEST_CPU = 20.0  # seconds one test may take at least, of processor time
AFTER_TIMEOUT_CPU = 4.0  # the same, once a test was stopped: what never ends is often asked by every test
WALL_FACTOR = 6.0
PULSE = 0.2  # seconds between two looks at the child
PRINT_LIMIT = 100_000  # bytes of what the student's code prints in one child that are shown
FAREWELL_SECONDS = 2.0
VISIBLE_SHARE = 0.2  # of a section's points, as in results.py
MAIN = "nnkit.grader.check_session"
NUMBERS = ("score", "max_score", "seconds")  # of a test and of a result

End = tuple[str, str]  # a state and its sentence
Found = TypeVar("Found")


@dataclass(slots=True)
class Checked:
    """What came out of one section's check."""

    section: Section
    file: Path
    result: dict[str, Any]  # as in docs/json.md
    hidden_points: float
    keyword: str = ""
    whole: bool = False  # what is wrong concerns the file as a whole, and every test says the same
    differs: bool = False  # the student's own copy of the suite is another one than the course's

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
    memory: int


def sections(names: Sequence[str], start: Path) -> list[Section]:
    """The sections asked for, or those found here.

    Raises:
        WorkspaceError: the file of one of them is not there.
    """
    if not names:
        return workspace.sections_here(start)
    asked = {section.number: section for section in map(course.section, names)}
    for section in asked.values():
        workspace.find(section, start)
    return list(asked.values())


def each(work: Callable[[Section], Found], wanted: Sequence[Section], keyword: str) -> tuple[list[Found], list[str]]:
    """Check, or debug, several sections; what is wrong with one keeps nobody from the others.

    A keyword may leave nothing of some sections, but not of all.

    Returns:
        What was found, and the sentences about what could not be checked.

    Raises:
        AskedWrongly: nothing could be checked.
    """
    found: list[Found] = []
    nothing: list[NothingMatches] = []
    wrong: list[str] = []
    for section in wanted:
        try:
            found.append(work(section))
        except NothingMatches as error:
            nothing.append(error)
        except AskedWrongly as error:
            if str(error) in wrong:
                break  # it is about the question, not about the sections
            wrong.append(str(error))
    if wrong and not found:
        raise AskedWrongly("\n".join(wrong))
    if len(nothing) == 1 and not found:
        raise nothing[0]
    if nothing and not found:
        raise NothingMatches(f"No test of these {len(nothing)} sections matches {keyword!r}; leave -k out to run all.")
    return found, wrong


def check(section: Section, start: Path, *, keyword: str = "") -> Checked:
    """Run a section's visible suite on the student's file, watched.

    Args:
        section: which.
        start: where the person stands.
        keyword: as pytest's -k.

    Raises:
        WorkspaceError: the file is not there.
        NothingMatches: no test matches the keyword.
        OurFault: the check itself did not work.
    """
    file = workspace.find(section, start).absolute()
    ends: dict[str, End] = {}  # by test: what ended the child in it
    outcomes: dict[str, dict[str, Any]] = {}
    while True:
        run = _Run(section, file, keyword, [*outcomes, *ends], _limits(section, list(ends.values())))
        run.watch()
        if run.wrong is not None:
            raise run.wrong
        outcomes.update(run.outcomes)
        open_tests = {test["name"] for test in run.planned} - outcomes.keys() - ends.keys()
        if run.state is None and run.loading:
            state, why = run.how_it_ended()
            run.state = (state, f"{file.name} could not be imported. {why}")
        elif run.state is None and run.current in open_tests:
            assert run.current is not None
            ends[run.current] = run.how_it_ended()
            continue
        elif run.state is None and open_tests and run.outcomes:
            continue  # it ended between two tests: what a test left behind did that
        elif run.state is None and (open_tests or not run.planned):
            raise OurFault(f"The check of section {section.number} ended before any test. {run.how_it_ended()[1]}")
        return _checked(section, file, run, outcomes, ends)


def _limits(section: Section, ends: list[End]) -> Limits:
    again = any(state == "timeout" for state, _ in ends)
    most = max(section.cpu_seconds, AFTER_TIMEOUT_CPU if again else TEST_CPU)
    return Limits(most, most * WALL_FACTOR, MEMORY)


class _Run:
    """One child and what it has told."""

    def __init__(self, section: Section, file: Path, keyword: str, skip: list[str], limits: Limits) -> None:
        self._limits, self.keyword = limits, keyword
        order = {
            "section": section.number, "file": str(file), "keyword": keyword, "skip": skip, "parent": os.getpid()
        }  # fmt: skip
        self._process = subprocess.Popen(
            # -P: a student's own random.py beside relu.py is not Python's.
            [sys.executable, "-P", "-m", MAIN, json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # the child's words to us
            stderr=subprocess.PIPE,  # what the student's code prints
            cwd=file.parent if file.parent.is_dir() else None,
            env={**ONE_THREAD, **os.environ},  # who has set these otherwise meant it
            start_new_session=True,  # Ctrl-C is for us, and the whole group can be ended
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._pass_on)]
        for thread in self._threads:
            thread.start()
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.planned: list[dict[str, Any]] = []
        self.state: End | None = None
        self.current: str | None = None
        self.loading = False
        self.wrong: AskedWrongly | OurFault | None = None
        self._stopped: End | None = None
        self._code = 0
        self._since = time.monotonic()
        self._cpu_before = 0.0

    def watch(self) -> None:
        """Listen until the child is through or has to be ended."""
        try:
            while self._more():
                pass
            self._let_end()
        finally:
            self._end()

    def _let_end(self) -> None:
        """Give a child that is through the moment it takes to end by itself."""
        deadline = time.monotonic() + FAREWELL_SECONDS
        listening = self._threads[0]  # until the child closes its channel, or what it started does
        while self._stopped is None and listening.is_alive() and not self._has_ended() and time.monotonic() < deadline:
            listening.join(PULSE / 10)

    def how_it_ended(self) -> End:
        """What ended the child, as a state and a sentence for the student."""
        if self._stopped is not None:
            return self._stopped
        if self._code >= 0:
            return "crashed", f"It ended the whole process with exit code {self._code}."
        try:
            name = signal.Signals(-self._code).name
        except ValueError:
            name = str(-self._code)
        if name == "SIGKILL":
            return "killed", "The system killed it, most likely because memory ran out."
        return "crashed", f"It ended the whole process with signal {name}."

    def _end(self) -> None:
        """End the child and whatever it started. A child that has ended keeps its exit code until it is waited for."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._code = self._process.wait()
        for thread in self._threads:
            thread.join(FAREWELL_SECONDS)

    def _has_ended(self) -> bool:
        if hasattr(os, "waitid"):
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return ended is not None
        return self._process.poll() is not None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(b"")

    def _pass_on(self) -> None:
        """Show what the student's code prints as it comes, up to a limit."""
        assert self._process.stderr is not None
        decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        total, last = 0, b"\n"
        with self._process.stderr as stream:
            while data := os.read(stream.fileno(), 1 << 16):
                shown = data[: max(PRINT_LIMIT - total, 0)]
                total += len(data)
                if shown:
                    sys.stderr.write(decoder.decode(shown))
                    sys.stderr.flush()
                    last = shown[-1:]
        if last != b"\n":
            print(file=sys.stderr)
        if total > PRINT_LIMIT:
            print(f"... {total - PRINT_LIMIT:,} more bytes were printed; they are not shown.", file=sys.stderr)

    def _more(self) -> bool:
        try:
            line = self._lines.get(timeout=PULSE)
        except queue.Empty:
            if self._over():
                return False
            if not self._has_ended():
                return True
            # Its last words may not be read yet; but what the student's code started may hold the channel open for ever.
            self._threads[0].join(FAREWELL_SECONDS)
            return not self._lines.empty()
        if not line:
            return False
        try:
            message = json.loads(line)
        except ValueError:
            return True  # an empty line, or the student's code wrote to the channel; what it says is not ours
        self._hear(message)
        return True

    def _hear(self, message: Any) -> None:
        match message:
            case {"planned": list(planned)}:
                self.planned = planned
            case {"loading": bool(loading)}:
                self.loading = loading
            case {"begin": str(name)}:
                self.current, self._since, self._cpu_before = name, time.monotonic(), _cpu_of(self._process.pid)
            case {"outcome": {"name": str(name)} as outcome}:
                self.outcomes[name], self.current = outcome, None
            case {"state": [str(state), str(detail)]}:
                self.state = (state, detail)
            case {"nothing": str(sentence)}:
                self.wrong = NothingMatches(sentence)
            case {"wrong": [2, str(sentence)]}:
                self.wrong = AskedWrongly(sentence)
            case {"wrong": [3, str(sentence)]}:
                self.wrong = OurFault(sentence)

    def _over(self) -> bool:
        limits = self._limits
        passed = time.monotonic() - self._since
        if self.current is None:
            if passed > START_SECONDS and not self.planned:
                self.wrong = OurFault(f"The tests did not start within {START_SECONDS:.0f} s; is this machine busy?")
            return self.wrong is not None
        used = _cpu_of(self._process.pid) - self._cpu_before
        if used > limits.cpu:
            self._stopped = ("timeout", f"It was stopped after {used:.0f} s of processor time: does a loop never end?")
        elif passed > limits.wall:
            self._stopped = ("timeout", f"It was stopped after {passed:.0f} s: does something wait for ever?")
        elif (memory := _memory_of(self._process.pid)) > limits.memory:
            self._stopped = ("out_of_memory", f"It was stopped when it used {memory / 2**30:.1f} GiB of memory.")
        return self._stopped is not None


def _checked(
    section: Section, file: Path, run: _Run, outcomes: dict[str, dict[str, Any]], ends: dict[str, End]
) -> Checked:
    state, detail = run.state or ("graded", "")
    whole = state != "graded" and not outcomes.keys() - run.outcomes.keys() and not ends
    tests = []
    for planned in run.planned:
        name = planned["name"]
        told = ends[name][1] if name in ends else detail or "It did not run."
        tests.append(outcomes.get(name) or {**planned, "message": told})
    if state == "graded" and ends:
        state, detail = next(iter(ends.values()))
    result = {
        "submission": workspace.shown(file),
        "section": section.number,
        "state": state,
        **_rounded({key: math.fsum(test[key] for test in tests) for key in NUMBERS}),
        "isolation": "none",
        "tests": [{**test, **_rounded(test)} for test in tests],
        "detail": detail,
        "leaderboard": [],
    }
    own = file.with_name(section.visible_suite.name)
    differs = own.is_file() and own.read_bytes() != section.visible_suite.read_bytes()
    return Checked(section, file, result, (1 - VISIBLE_SHARE) * section.points, run.keyword, whole, differs)


def _rounded(numbers: dict[str, Any]) -> dict[str, float]:
    return {key: round(numbers[key], 6) for key in NUMBERS}


def following(done: Sequence[Section], start: Path) -> tuple[Section, str] | None:
    """The section to go on with: the first after these that builds on one of them and was not begun here.

    Returns:
        The section, and the path of its lesson where that was fetched, else ""; None where there is no such section.
    """
    numbers = {section.number for section in done}
    for folder in course.folders().values():
        try:
            section = course.read(folder)
        except CourseError:
            continue  # a damaged section must not hide what was found out about another
        state = workspace.state(section, start)
        if numbers & set(section.after) and state != "changed":
            fetched = state == "untouched"
            return section, workspace.shown(workspace.find(section, start).with_name("README.md")) if fetched else ""
    return None


def debug(section: Section, start: Path, *, keyword: str = "") -> int:
    """Run the suite in this very process and stop in the debugger at the first failure; nothing guards anything."""
    from . import check_session

    print("Nothing guards this process: Ctrl-C stops a loop that never ends. `q` leaves the debugger.", file=sys.stderr)
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
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
