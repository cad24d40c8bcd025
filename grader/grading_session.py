"""One of the processes that grade a section: a fork of the command, when the suites have been collected there.

It takes submissions from a queue and tells every outcome as soon as it is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from . import session
from .cores import on_one_core
from .course import Section
from .errors import NnkitError
from .exchange.plain import Submission
from .mistakes import Mistake
from .processes import Client, ZygoteGone
from .remote import RemoteTransport
from .results import State, TestOutcome
from .sandbox import Job
from .sandbox.tether import DiesWithParent
from .seeds import Seeds
from .student import Student
from .subjects import Makers, makers, submission

INDEX = struct.Struct("<I")
ZYGOTE_GONE = 4  # exit code


class Queue:
    """Places of submissions, of which every session process takes the next."""

    def __init__(self, places: Sequence[int]) -> None:
        self._take, self._give = os.pipe()
        self._feeder = threading.Thread(target=self._feed, args=(places,), daemon=True)
        self._fed = False

    def feed(self) -> None:
        """Begin to hand the places out; after the forks, which have no threads. It ends when the last session has ended."""
        os.close(self._take)
        self._fed = True
        self._feeder.start()

    def join(self) -> None:
        """Become one that takes."""
        os.close(self._give)

    def take(self) -> int | None:
        """Take the next place, or None: there is none left."""
        raw = os.read(self._take, INDEX.size)
        return INDEX.unpack(raw)[0] if raw else None

    def close(self) -> None:
        """Hand out nothing more; when every session has ended."""
        if self._fed:
            self._feeder.join()
        else:
            os.close(self._take)
            os.close(self._give)

    def _feed(self, places: Sequence[int]) -> None:
        try:
            for place in places:
                os.write(self._give, INDEX.pack(place))
        except BrokenPipeError:
            pass  # every session has ended; what was not taken stays to be done
        finally:
            os.close(self._give)


class SessionProcess:
    """The life of a session process.

    Args:
        section: what is graded.
        seeds: of the course.
        submissions: of the whole class.
        mistakes: the section's catalogue.
        tests: how many each submission goes through.
        client: where workers come from.
        queue: which submissions are left.
        ink: descriptor of a pipe to the parent.
        gpu: whether kernels are graded on this machine's device too.
    """

    def __init__(
        self, section: Section, seeds: Seeds, submissions: Sequence[Submission], mistakes: list[Mistake], tests: int,
        client: Client, queue: Queue, ink: int, *, gpu: bool,
    ) -> None:  # fmt: skip
        self._section, self._seeds, self._submissions, self._gpu = section, seeds, submissions, gpu
        self._mistakes, self._tests, self._client, self._queue, self._ink = mistakes, tests, client, queue, ink

    @property
    def code(self) -> int:
        """The exit code."""
        return ZYGOTE_GONE if self._client.gone else 0

    def settle(self, parent: int) -> None:
        """Take the place of a session process, right after the fork."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
        DiesWithParent().apply(Job.empty())
        if os.getppid() != parent:
            os._exit(1)  # it ended before this process was tied to it
        self._queue.join()

    def visits(self) -> Iterator[session.Visit]:
        """Take submissions from the queue, until it is empty or there are no workers any more."""
        with (
            session.unheard(),
            on_one_core(),
            makers(
                self._section, self._seeds, self._client, gpu=self._gpu, mistakes=self._mistakes, foreseeing=True
            ) as made,  # fmt: skip
        ):
            while not self._client.gone and (place := self._queue.take()) is not None:
                self._tell(begin=place)
                yield self._visit(made, place)

    def fail(self, error: BaseException) -> None:
        """Tell the parent what broke this process; that the zygote is gone, the exit code says."""
        if not (isinstance(error, NnkitError) and self._client.gone):
            self._tell(broken=str(error) if isinstance(error, NnkitError) else f"{type(error).__name__}: {error}")

    def _tell(self, **message: Any) -> None:
        data = memoryview(json.dumps(message, allow_nan=False).encode() + b"\n")
        while data:
            data = data[os.write(self._ink, data) :]

    def _visit(self, made: Makers, place: int) -> session.Visit:
        files = submission(self._section, self._submissions[place].files[self._section.number])
        subject = made.subject(files)
        unknown: list[str] = []
        tested = 0
        ordered = False

        def heard(outcome: TestOutcome) -> bool:
            nonlocal tested, ordered
            tested += 1
            self._tell(outcome=asdict(outcome), of=place)
            if outcome.status == "unknown":
                unknown.append(outcome.message)
                return False
            if not ordered and subject.student.loaded and 2 * tested >= self._tests:  # the last worker has gone by now
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
            self._tell(end=place, state=state, detail=detail, isolation=isolation, leaderboard=leaderboard)

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
