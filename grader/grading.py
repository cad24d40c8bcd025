"""Grading a class: both suites of a section, one pytest session for all submissions.

This process starts the zygote, then forks one session process per job. The sessions take submissions from one queue
and tell every outcome as soon as it is there, so whatever dies, what was found out is kept and the rest is done again.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from . import course, imports, session
from .cores import on_one_core
from .course import Section
from .environment import ONE_THREAD
from .errors import NnkitError, OurFault
from .exchange.plain import Submission
from .processes import Client, Zygote, ZygoteGone
from .remote import RemoteTransport
from .results import PlannedTest, SectionResult, State, TestOutcome, completed
from .sandbox import Job, Level
from .sandbox.tether import DiesWithParent
from .seeds import Seeds
from .student import Student
from .subjects import Makers, budget_for, makers, submission, zygote_for

ATTEMPTS = 2  # at one submission, when what goes wrong is ours
BELT = 60.0  # seconds that a test may hold up a session beyond a submission's whole budget
INDEX = struct.Struct("<I")
ZYGOTE_GONE = 4  # exit code of a session


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
        suites = [self.section.visible_suite, self.section.hidden_suite]
        with contextlib.suppress(NnkitError):  # a suite that cannot be read has been told where a session met it
            session.run(
                suites, [], points=self.section.points, planned=self._planned.extend, without=session.left_out(gpu=self._gpu)
            )  # fmt: skip

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
        take, give = os.pipe()
        feeder = threading.Thread(target=_feed, args=(give, sorted(self._todo)), daemon=True)
        try:
            try:
                self._seat(seats, take, give)
            except OurFault as fault:
                return str(fault)
            finally:
                os.close(take)  # from here on the queue breaks when the last session has ended
                for seat in seats:
                    os.close(seat.writing)
                    seat.client.close()
                feeder.start()
            self._listen(seats)
        finally:
            codes = [seat.end() for seat in seats]
            feeder.join()
            if ZYGOTE_GONE in codes or (self.zygote is not None and not self.zygote.alive):
                self._part_from_zygote()
        self._sort_out(seats)
        return next((seat.broken for seat in seats if seat.broken), "the grading process ended")

    def _seat(self, seats: list[_Seat], take: int, give: int) -> None:
        """Start the session processes of a round."""
        if self.zygote is None:
            self.zygote = zygote_for(self._warm, self._level)
        _import_what_sessions_need()
        # The clients are made before the fork: what they need of the zygote is not to be shared.
        for _ in range(max(1, min(self._jobs, len(self._todo)))):
            seat = _Seat(self.zygote.client(), *os.pipe())
            seats.append(seat)
        for seat in seats:
            seat.pid = self._fork(seat, seats, take, give)

    def _part_from_zygote(self) -> None:
        if self.zygote is not None:
            self.zygote.close()
            self.zygote = None

    def _fork(self, seat: _Seat, seats: list[_Seat], take: int, give: int) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        gc.collect()
        gc.freeze()  # for good: collecting writes to what it looks at, and would make a copy of each page that is shared
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            DiesWithParent().apply(Job.empty())
            if os.getppid() != parent:
                os._exit(code)  # it ended before this process was tied to it
            os.close(give)
            assert self.zygote is not None
            self.zygote.forget()
            for other in seats:
                os.close(other.reading)
                if other is not seat:
                    os.close(other.writing)
                    other.client.forget()
            with session.unheard():
                code = _Session(
                    self.section, self.seeds, self._submissions, seat.client, take, seat.writing, gpu=self._gpu
                ).run()
        except BaseException as error:  # noqa: BLE001  whatever it is, the parent is told and does it again
            seat.tell(broken=str(error) if isinstance(error, NnkitError) else f"{type(error).__name__}: {error}")
        finally:
            os._exit(code)

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
        if "planned" in message:
            self._planned = self._planned or [_planned(entry) for entry in message["planned"]]
        elif "begin" in message:
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

    def end(self) -> int:
        """End the process, if it has not ended by itself, and return its exit code."""
        os.close(self.reading)
        if not self.pid:
            return 0
        if not self.heard_all:
            os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def tell(self, **message: Any) -> None:
        """Write one message to the parent; only in the child."""
        data = memoryview(json.dumps(message, allow_nan=False).encode() + b"\n")
        while data:
            data = data[os.write(self.writing, data) :]


class _Session:
    """The life of a session process."""

    def __init__(
        self, section: Section, seeds: Seeds, submissions: Sequence[Submission], client: Client, take: int, ink: int,
        *, gpu: bool,
    ) -> None:  # fmt: skip
        self._section, self._seeds, self._submissions, self._gpu = section, seeds, submissions, gpu
        self._client, self._take = client, take
        self._seat = _Seat(client, -1, ink)
        self._tests = 0

    def run(self) -> int:
        """Grade what the queue gives and return the exit code."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
        try:
            with on_one_core(), makers(self._section, self._seeds, self._client, gpu=self._gpu) as made:
                list(made.mistakes)  # a catalogue that cannot be read is found before anybody is begun with
                session.run(
                    [self._section.visible_suite, self._section.hidden_suite],
                    self._visits(made),
                    points=self._section.points,
                    planned=self._plan,
                    timeout=budget_for(self._section).wall + BELT,
                    without=session.left_out(gpu=self._gpu),
                )
        except NnkitError:
            if not self._client.gone:
                raise
        return ZYGOTE_GONE if self._client.gone else 0

    def _plan(self, tests: list[PlannedTest]) -> None:
        self._tests = len(tests)
        self._seat.tell(planned=[asdict(test) for test in tests])

    def _visits(self, made: Makers) -> Iterator[session.Visit]:
        while not self._client.gone and (raw := os.read(self._take, INDEX.size)):
            (place,) = INDEX.unpack(raw)
            self._seat.tell(begin=place)
            yield self._visit(made, place)

    def _visit(self, made: Makers, place: int) -> session.Visit:
        files = submission(self._section, self._submissions[place].files[self._section.number])
        subject = made.subject(files)
        unknown: list[str] = []
        tested = 0
        ordered = False

        def heard(outcome: TestOutcome) -> bool:
            nonlocal tested, ordered
            tested += 1
            self._seat.tell(outcome=asdict(outcome), of=place)
            if outcome.status == "unknown":
                unknown.append(outcome.message)
                return False
            if not ordered and subject.student.loaded:
                ordered = True
                with contextlib.suppress(ZygoteGone):  # the next question finds out, and says so
                    made.order_next()
            return True

        def done(leaderboard: list[Any]) -> None:
            try:
                subject.student.close()
            except ZygoteGone as gone:
                unknown.append(str(gone))
            if tested < self._tests and not unknown:
                return  # something of ours broke the session off: this is no result, and is not told as one
            state, detail = _state(subject.student, unknown)
            transport = subject.student.transport
            assert isinstance(transport, RemoteTransport)
            isolation = "+".join(transport.layers) or "none"
            self._seat.tell(end=place, state=state, detail=detail, isolation=isolation, leaderboard=leaderboard)

        return session.Visit(subject, heard=heard, done=done)


def _state(student: Student, unknown: list[str]) -> tuple[State, str]:
    """The one state of a submission: what first ended its code, or that it was tested to the end."""
    transport = student.transport
    assert isinstance(transport, RemoteTransport)
    if unknown:
        return "unknown", unknown[0]
    if student.cannot_load is not None and not transport.ends:
        raised = getattr(student.cannot_load, "nnkit_raised", None)
        full = raised is not None and raised.type_name == "MemoryError"
        return "out_of_memory" if full else "import_error", str(student.cannot_load)
    if transport.ends:
        state, detail = transport.ends[0]
        return state, detail  # type: ignore[return-value]
    return "graded", ""


def _feed(pipe: int, places: Sequence[int]) -> None:
    """Fill the queue; it ends when the last session has closed its end."""
    try:
        for place in places:
            os.write(pipe, INDEX.pack(place))
    except BrokenPipeError:
        pass  # every session has ended; what was not taken stays to be done
    finally:
        os.close(pipe)


def _planned(tree: dict[str, Any]) -> PlannedTest:
    return PlannedTest(**{**tree, "tags": tuple(tree["tags"])})


def _outcome(tree: dict[str, Any]) -> TestOutcome:
    return TestOutcome(**{**tree, "tags": tuple(tree["tags"])})


def _import_what_sessions_need() -> None:
    """Import before the fork what every session would import after it: shared memory, and paid once."""
    for name in ("gradescope_utils.autograder_utils.decorators", "pytest_timeout", "nnkit.grader.compare"):
        importlib.import_module(name)
