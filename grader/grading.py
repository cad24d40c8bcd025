"""Grading a class: both suites of a section, one pytest session for all submissions.

This process starts the zygote, then forks one session process per job. The sessions take submissions from one queue
and tell every outcome as soon as it is there, so whatever dies, what was found out is kept and the rest is done again.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from . import imports, session
from .course import Section
from .errors import OurFault
from .exchange.plain import Submission
from .processes import ONE_THREAD, Client, Zygote, ZygoteGone
from .remote import RemoteTransport
from .sandbox import Level
from .results import PlannedTest, SectionResult, State, TestOutcome, completed
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
) -> list[SectionResult]:
    """Grade every submission in every section.

    Args:
        submissions: who handed in what.
        sections: which sections.
        seeds: of the course.
        jobs: session processes at once.
        level: of isolation.
        heard: called with every result as soon as it is there, in the order of finishing.

    Returns:
        One result for every submission and section, in the order of the sections and of the submissions.
    """
    os.environ.update(ONE_THREAD)
    found: list[SectionResult] = []
    for warm in _grouped(sections):
        zygote: Zygote | None = None
        try:
            for section in warm:
                grading = _Grading(section, warm, submissions, seeds, jobs, level, heard, zygote)
                found += grading.run()
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
        level: Level, heard: Callable[[SectionResult], None], zygote: Zygote | None,
    ) -> None:  # fmt: skip
        self.section, self.seeds, self.zygote = section, seeds, zygote
        self._warm, self._submissions, self._jobs, self._level, self._heard = warm, submissions, jobs, level, heard
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
        rounds = 0
        while self._todo:
            rounds += 1
            before = len(self._todo), sum(todo.begun for todo in self._todo.values())
            self._round()
            if before == (len(self._todo), sum(todo.begun for todo in self._todo.values())):
                self._give_up("The grading process ended before it began with any submission.")
        for place, (state, detail) in self._early.items():
            self._finish(place, self._submissions[place].who, {}, state, detail, "none")
        return [self._results[place] for place in sorted(self._results)]

    def _refusal(self, each: Submission) -> tuple[State, str] | None:
        number = self.section.number
        if number in each.refused:
            return "refused", each.refused[number]
        if number not in each.files:
            return "missing", f"There is no {self.section.slug}.py for section {number}."
        report = imports.check(each.files[number], self.section)
        if report.refused:
            return "refused", " ".join(finding.sentence for finding in report.refused[:3])
        return None

    # One round of session processes

    def _round(self) -> None:
        if self.zygote is None:
            self.zygote = zygote_for(self._warm, self._level)
        _import_what_sessions_need()
        take, give = os.pipe()
        # The clients are made before the fork: the zygote's own control socket has one user only.
        seats = [
            _Seat(self.zygote.client(), *os.pipe()) for _ in range(max(1, min(self._jobs, len(self._todo))))
        ]
        try:
            for seat in seats:
                seat.pid = self._fork(seat, seats, take, give)
        finally:
            os.close(take)
            for seat in seats:
                os.close(seat.writing)
                seat.client.close()
        feeder = threading.Thread(target=_feed, args=(give, sorted(self._todo)), daemon=True)
        feeder.start()
        try:
            self._listen(seats)
        except BaseException:
            for seat in seats:
                os.kill(seat.pid, signal.SIGKILL)
            raise
        finally:
            codes = [os.waitstatus_to_exitcode(os.waitpid(seat.pid, 0)[1]) for seat in seats]
            feeder.join()
            for seat in seats:
                os.close(seat.reading)
        if ZYGOTE_GONE in codes:
            self.zygote.close()
            self.zygote = None
        self._sort_out(seats)

    def _fork(self, seat: _Seat, seats: list[_Seat], take: int, give: int) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        gc.collect()
        gc.freeze()
        pid = os.fork()
        if pid:
            gc.unfreeze()
            return pid
        code = 1
        try:
            os.close(give)
            for other in seats:
                os.close(other.reading)
                if other is not seat:
                    os.close(other.writing)
                    other.client.forget()
            code = _Session(self.section, self.seeds, self._submissions, seat.client, take, seat.writing).run()
        except BaseException as error:
            seat.tell(broken=f"{type(error).__name__}: {error}")
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
                why = seat.broken or "the grading process ended"
                self._end(seat.current, "unknown", f"It could not be graded ({why}).", "none", [])
        broken = [seat.broken for seat in seats if seat.broken]
        if broken and not any(todo.begun for todo in self._todo.values()) and not self._results:
            self._give_up(f"Section {self.section.number} cannot be graded: {broken[0]}")

    def _give_up(self, why: str) -> NoReturn:
        raise OurFault(why)


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

    def tell(self, **message: Any) -> None:
        """Write one message to the parent; only in the child."""
        data = memoryview(json.dumps(message, allow_nan=False).encode() + b"\n")
        while data:
            data = data[os.write(self.writing, data) :]


class _Session:
    """The life of a session process."""

    def __init__(
        self, section: Section, seeds: Seeds, submissions: Sequence[Submission], client: Client, take: int, ink: int
    ) -> None:
        self._section, self._seeds, self._submissions = section, seeds, submissions
        self._client, self._take = client, take
        self._seat = _Seat(client, -1, ink)
        self._zygote_gone = False

    def run(self) -> int:
        """Grade what the queue gives and return the exit code."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
        section = self._section
        with makers(section, self._seeds, self._client) as made:
            try:
                session.run(
                    [section.visible_suite, section.hidden_suite],
                    self._visits(made),
                    points=section.points,
                    planned=lambda tests: self._seat.tell(planned=[asdict(test) for test in tests]),
                    timeout=budget_for(section).wall + BELT,
                )
            except ZygoteGone:
                return ZYGOTE_GONE
        return ZYGOTE_GONE if self._zygote_gone else 0

    def _visits(self, made: Makers) -> Iterator[session.Visit]:
        while not self._zygote_gone and (raw := os.read(self._take, INDEX.size)):
            (place,) = INDEX.unpack(raw)
            self._seat.tell(begin=place)
            yield self._visit(made, place)

    def _visit(self, made: Makers, place: int) -> session.Visit:
        files = submission(self._section, self._submissions[place].files[self._section.number])
        subject = made.subject(files)
        unknown: list[str] = []
        told = Counter[str]()

        def heard(outcome: TestOutcome) -> bool:
            self._seat.tell(outcome=asdict(outcome), of=place)
            if outcome.status == "unknown":
                unknown.append(outcome.message)
                return False
            if not told["ordered"] and subject.student.loaded:
                told["ordered"] += 1
                made.order_next()
            return True

        def done(leaderboard: list[Any]) -> None:
            subject.student.close()
            state, detail = _state(subject.student, unknown)
            transport = subject.student.transport
            assert isinstance(transport, RemoteTransport)
            isolation = "+".join(transport.layers) or "none"
            self._zygote_gone = self._zygote_gone or self._client.gone
            self._seat.tell(end=place, state=state, detail=detail, isolation=isolation, leaderboard=leaderboard)

        return session.Visit(subject, heard=heard, done=done)


def _state(student: Student, unknown: list[str]) -> tuple[State, str]:
    """The one state of a submission: what first ended its code, or that it was tested to the end."""
    transport = student.transport
    assert isinstance(transport, RemoteTransport)
    if unknown:
        return "unknown", unknown[0]
    if student.cannot_load is not None and not transport.ends:
        return "import_error", str(student.cannot_load)
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
