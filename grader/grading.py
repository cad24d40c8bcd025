"""Grading a class: both suites of a section, one pytest session for all submissions.

This process starts the zygote, then forks one session process per job. The sessions take submissions from one queue
and tell every outcome as soon as it is there, so whatever dies, what was found out is kept and the rest is done again.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import course, imports, session
from .course import Section
from .environment import ONE_THREAD
from .errors import NnkitError, NoIsolation
from .exchange.plain import Submission
from .grading_session import ZYGOTE_GONE, Queue, SessionProcess
from .mistakes import Mistake, catalogue
from .processes import Client, Zygote
from .results import PlannedTest, SectionResult, State, TestOutcome, completed
from .sandbox import Level
from .seeds import Seeds
from .subjects import budget_for, zygote_for

ATTEMPTS = 2  # at one submission, when what goes wrong is ours
BELT = 60.0  # seconds that a test may hold up a session beyond a submission's whole budget


@dataclass(slots=True)
class _Todo:
    """One submission in one section, on its way to a result."""

    submission: Submission
    begun: int = 0
    outcomes: dict[str, TestOutcome] = field(default_factory=dict)


def grade(
    submissions: Sequence[Submission],
    sections: Sequence[Section],
    seeds: Seeds,
    *,
    jobs: int,
    level: Level = "strict",
    heard: Callable[[SectionResult], None] = lambda _result: None,
    noted: Callable[[str], None] = lambda _note: None,
    gpu: bool = False,
) -> list[SectionResult]:
    """Grade every submission in every section.

    Args:
        submissions: who handed in what.
        sections: which sections.
        seeds: of the course.
        jobs: session processes at once.
        level: of isolation.
        heard: called with every result as soon as it is there, in the order of finishing.
        noted: called with what the instructor should know and students should not: why a section cannot be graded.
        gpu: whether kernels are graded on this machine's device too.

    Returns:
        One result for every submission and section, in the order of the sections and of the submissions.
    """
    os.environ.update(ONE_THREAD)
    found: list[SectionResult] = []
    for warm in _grouped(sections):
        zygote: Zygote | None = None
        try:
            for section in warm:
                grading = _Grading(section, warm, submissions, seeds, jobs, level, heard, noted, zygote, gpu)
                try:
                    found += grading.run()
                finally:
                    zygote = grading.zygote
        finally:
            if zygote is not None:
                zygote.close()
    order = {section.number: place for place, section in enumerate(sections)}
    return sorted(found, key=lambda result: order[result.section])


def _grouped(sections: Sequence[Section]) -> list[list[Section]]:
    """Sections that one zygote serves: those without torch do not carry its memory."""
    groups = [[s for s in sections if ("torch" in s.libraries) is torch] for torch in (False, True)]
    return [group for group in groups if group]


class _Grading:
    """One section for the whole class."""

    def __init__(
        self, section: Section, warm: Sequence[Section], submissions: Sequence[Submission], seeds: Seeds, jobs: int,
        level: Level, heard: Callable[[SectionResult], None], noted: Callable[[str], None], zygote: Zygote | None,
        gpu: bool,
    ) -> None:  # fmt: skip
        self.section, self.seeds, self.zygote = section, seeds, zygote
        self._warm, self._submissions, self._jobs, self._heard = warm, submissions, jobs, heard
        self._level, self._noted, self._gpu = level, noted, gpu
        self._planned: list[PlannedTest] = []
        self._command = os.getpid()
        self._listening = False
        self._session: SessionProcess | None = None  # which one this is, in a fork
        self._early: dict[int, tuple[State, str]] = {}
        self._todo: dict[int, _Todo] = {}
        self._results: dict[int, SectionResult] = {}

    def run(self) -> list[SectionResult]:
        """Grade, and return the results in the order of the submissions."""
        for place, each in enumerate(self._submissions):
            early = self._refusal(each)
            if early is not None:
                self._early[place] = early
            else:
                self._todo[place] = _Todo(each)
        idle = 0
        while self._todo:
            before = len(self._todo), sum(todo.begun for todo in self._todo.values())
            why = self._round()
            idle = idle + 1 if before == (len(self._todo), sum(todo.begun for todo in self._todo.values())) else 0
            if idle >= ATTEMPTS:
                self._give_up(why)
        if self._early and not self._planned:
            self._plan_alone()
        for place, (state, detail) in self._early.items():
            self._finish(place, self._submissions[place].who, {}, state, detail, "none")
        return [self._results[place] for place in sorted(self._results)]

    def _plan_alone(self) -> None:
        """Nobody's code was run, and still every result lists the tests that it was to pass."""
        with contextlib.suppress(NnkitError):  # a suite that cannot be read has been told where a session met it
            self._collect(iter(()))

    def _refusal(self, each: Submission) -> tuple[State, str] | None:
        number = self.section.number
        if number in each.refused:
            return "refused", each.refused[number]
        if number not in each.files:
            return "missing", f"There is no {self.section.slug}.py for section {number}."
        for other in course.used(self.section):
            if f"{other.slug}.py" not in each.files[number]:
                return "missing", f"There is no {other.slug}.py of section {other.number}, which section {number} uses."
        report = imports.check(each.files[number], self.section)
        if report.refused:
            return "refused", " ".join(finding.sentence for finding in report.refused[:3])
        if report.unparsable:
            return "import_error", " ".join(finding.sentence for finding in report.unparsable[:3])
        return None

    # One round of session processes

    def _round(self) -> str:
        """Let session processes grade what is still to be done; return what went wrong with them, or ""."""
        seats: list[_Seat] = []
        self._listening = False
        try:
            if self.zygote is None:
                self.zygote = zygote_for(self._warm, self._level)
            mistakes = catalogue(self.section.mistakes, self.section.reference)
            self._collect(self._visits(seats, mistakes))
        except Exception as error:
            if self._listening or isinstance(error, NoIsolation):
                raise  # whoever hears the results did, or nothing at all can be graded
            return str(error) if isinstance(error, NnkitError) else f"{type(error).__name__}: {error}"
        finally:
            if any(seat.code == ZYGOTE_GONE for seat in seats) or (self.zygote is not None and not self.zygote.alive):
                self._part_from_zygote()
        self._sort_out(seats)
        return next((seat.broken for seat in seats if seat.broken), "the grading process ended")

    def _part_from_zygote(self) -> None:
        if self.zygote is not None:
            self.zygote.close()
            self.zygote = None

    def _collect(self, visits: Iterator[session.Visit]) -> None:
        """Collect the suites once for all session processes: they are forks of this one that go on from there."""
        try:
            session.run(
                [self.section.visible_suite, self.section.hidden_suite],
                visits,
                points=self.section.points,
                planned=self._plan,
                timeout=budget_for(self.section).wall + BELT,
                without=session.left_out(gpu=self._gpu),
            )
        except BaseException as error:  # what ends a fork is told to its parent, which does it again
            if not self._in_fork:
                raise
            if self._session is not None:
                self._session.fail(error)
        finally:
            if self._in_fork:
                os._exit(1 if self._session is None else self._session.code)

    @property
    def _in_fork(self) -> bool:
        return os.getpid() != self._command

    def _plan(self, tests: list[PlannedTest]) -> None:
        self._planned = tests

    def _visits(self, seats: list[_Seat], mistakes: list[Mistake]) -> Iterator[session.Visit]:
        """Fork the session processes, each of which has visits of its own; this process has none, and listens."""
        queue = Queue(sorted(self._todo))
        try:
            self._fork(seats, queue, mistakes)
            if not self._in_fork:
                for seat in seats:
                    seat.hand_over()
                queue.feed()
                self._listening = True
                self._listen(seats)
        finally:
            if not self._in_fork:
                for seat in seats:
                    seat.end()
                queue.close()
                gc.unfreeze()
        if self._session is not None:
            yield from self._session.visits()

    def _fork(self, seats: list[_Seat], queue: Queue, mistakes: list[Mistake]) -> None:
        """Fork a session process for every job; in each, note which one it is."""
        assert self.zygote is not None
        # The clients are made before the fork: what they need of the zygote is not to be shared.
        for _ in range(max(1, min(self._jobs, len(self._todo)))):
            seats.append(_Seat(self.zygote.client(), *os.pipe()))  # noqa: PERF401  those before an error are ended
        sys.stdout.flush()
        sys.stderr.flush()
        gc.collect()
        gc.freeze()  # collecting writes to what it looks at, and would make a copy of each page that is shared
        for seat in seats:
            seat.pid = os.fork()
            if seat.pid == 0:
                self._session = SessionProcess(
                    self.section, self.seeds, self._submissions, mistakes, len(self._planned), seat.client, queue,
                    seat.writing, gpu=self._gpu,
                )  # fmt: skip
                self._session.settle(self._command)
                self.zygote.forget()
                for other in seats:
                    os.close(other.reading)
                    if other is not seat:
                        os.close(other.writing)
                        other.client.forget()
                return

    def _listen(self, seats: list[_Seat]) -> None:
        with selectors.DefaultSelector() as selector:
            for seat in seats:
                selector.register(seat.reading, selectors.EVENT_READ, seat)
            while selector.get_map():
                for key, _events in selector.select():
                    seat = key.data
                    data = os.read(seat.reading, 1 << 16)
                    if not data:
                        selector.unregister(seat.reading)
                        seat.heard_all = True
                        continue
                    *lines, seat.rest = (seat.rest + data).split(b"\n")
                    for line in lines:
                        self._hear(seat, json.loads(line))

    def _hear(self, seat: _Seat, message: dict[str, Any]) -> None:
        if "begin" in message:
            seat.current = message["begin"]
            todo = self._todo[seat.current]
            todo.begun += 1
            todo.outcomes.clear()
        elif "outcome" in message:
            outcome = _outcome(message["outcome"])
            self._todo[message["of"]].outcomes[f"{outcome.suite}:{outcome.name}"] = outcome
        elif "end" in message:
            self._end(message["end"], message["state"], message["detail"], message["isolation"], message["leaderboard"])
            seat.current = None
        elif "broken" in message:
            seat.broken = message["broken"]

    def _end(self, place: int, state: State, detail: str, isolation: str, leaderboard: list[Any]) -> None:
        todo = self._todo[place]
        if state == "unknown" and todo.begun < ATTEMPTS:
            return  # it stays to be done, in the next round
        board = tuple((name, value, order) for name, value, order in leaderboard)
        self._finish(place, todo.submission.who, todo.outcomes, state, detail, isolation, board)
        del self._todo[place]

    def _finish(
        self, place: int, who: str, outcomes: dict[str, TestOutcome], state: State, detail: str, isolation: str,
        leaderboard: tuple[tuple[str, float, str], ...] = (),
    ) -> None:  # fmt: skip
        result = completed(
            who, self.section.number, self._planned, outcomes, state, detail, isolation, leaderboard,
            points=self.section.points,
        )  # fmt: skip
        self._results[place] = result
        self._heard(result)

    def _sort_out(self, seats: list[_Seat]) -> None:
        """What a session that ended early had in hand is done again, or given up after the second time."""
        for seat in seats:
            if seat.current is None or seat.current not in self._todo:
                continue
            if self._todo[seat.current].begun >= ATTEMPTS:
                if seat.broken:
                    self._noted(
                        f"{self._todo[seat.current].submission.who}, section {self.section.number}: {seat.broken}"
                    )
                detail = "The grading process ended twice at it. This is not your fault and costs no points."
                self._end(seat.current, "unknown", detail, "none", [])

    def _give_up(self, why: str) -> None:
        """Nothing more comes of this section: what is left is unknown, and the other sections go on."""
        self._noted(f"Section {self.section.number} cannot be graded: {why}")
        for place, todo in sorted(self._todo.items()):
            detail = "The section could not be graded. This is not your fault and costs no points."
            self._finish(place, todo.submission.who, {}, "unknown", detail, "none")
        self._todo.clear()


@dataclass(slots=True)
class _Seat:
    """A session process as its parent sees it."""

    client: Client
    reading: int
    writing: int
    pid: int = 0
    rest: bytes = b""
    current: int | None = None
    broken: str = ""
    heard_all: bool = False  # it has closed its end, and leaves
    code: int | None = None  # with which it has ended

    def hand_over(self) -> None:
        """Close what is the process's alone."""
        os.close(self.writing)
        self.writing = -1
        self.client.close()

    def end(self) -> None:
        """End the process, if it has not ended by itself."""
        if self.writing >= 0:
            self.hand_over()
        os.close(self.reading)
        if self.pid:
            if not self.heard_all:
                os.kill(self.pid, signal.SIGKILL)
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _outcome(tree: dict[str, Any]) -> TestOutcome:
    return TestOutcome(**{**tree, "tags": tuple(tree["tags"])})
