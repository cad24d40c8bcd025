"""Asks a submission in one crossing what the tests that come next will ask.

All submissions of a session go through the same tests with the same seeds. What a test asks first follows no answer, so
it is the same for everybody, and for most tests it is the last thing they ask too. So the questions of several tests can
cross the border together, in the order in which they would be asked anyway. When a test then asks, and asks for the very
same bytes, the answer is there.

The worker notices nothing but haste. Every test begins afresh in it wherever the one before has ended; where a test asks
more than was foreseen, it is begun again; and where the worker ends meanwhile, the next one is asked by the tests alone,
so that what ended it is found, and told, where it belongs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import codec
from .errors import WorkerEnded
from .processes import Client, Patience
from .remote import Budget, RemoteTransport, crossings
from .sandbox import Ceilings
from .transport import CallBack, Files, Frame, no_call_back

LARGE = 64 << 10  # bytes of a test's first questions that cost more to keep than to ask
ROOM = 2 << 20  # bytes of questions that are kept
ANSWERS = 16 << 20  # bytes of answers that wait for their tests
DEAR = 0.05  # seconds of processor time for which a crossing is nothing
# What is asked ahead has not long: what loops is asked again by its own test, and would be waited for twice.
AT_LEAST, TIMES = 0.5, 10.0  # seconds of processor time, and times what it took when it was asked alone
WALL_FACTOR = 4.0


@dataclass(slots=True)
class Start:
    """What a test asks first, in one crossing."""

    questions: list[list[codec.Buffer]]
    seconds: float  # of processor time
    alone: bool = True  # whether that was all, for every submission so far


class Foreseen:
    """What tests have asked the submissions so far: one for all of a session, by the place of the test."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._starts: dict[int, Start] = {}

    def learn(self, place: int, questions: list[list[codec.Buffer]], seconds: float) -> None:
        """Keep what a test asks first, unless that is large or dear."""
        size = sum(len(part) for question in questions for part in question)
        if place not in self._starts and size <= min(LARGE, self._room) and seconds <= DEAR:
            self._room -= size
            self._starts[place] = Start([[bytes(part) for part in question] for question in questions], seconds)

    def asks_more(self, place: int) -> None:
        """Know that a test asks something that may follow from an answer, so nothing of the next ones can be asked before."""
        if place in self._starts:
            self._starts[place].alone = False

    def following(self, place: int) -> dict[int, Start]:
        """What can be asked together, from a test on."""
        found: dict[int, Start] = {}
        while place in self._starts:
            found[place] = self._starts[place]
            if not found[place].alone:
                break
            place += 1
        return found


class ForeseeingTransport(RemoteTransport):
    """A jailed worker that is asked ahead.

    Args:
        foreseen: from the submissions before this one.
        client: where workers come from.
        ceilings: of one worker.
        budget: of the submission.
    """

    def __init__(self, foreseen: Foreseen, client: Client, ceilings: Ceilings, budget: Budget) -> None:
        super().__init__(client, ceilings, budget)
        self._foreseen, self._hopeful = foreseen, True
        self._place = -1  # of the present test
        self._begun = True  # whether it has asked something
        self._timed = False  # whether it has looked at the worker's clock, to time what it asks next
        self._answers: dict[int, list[Frame]] = {}  # to what this test and later ones ask first
        self._first: list[list[codec.Buffer]] = []  # what this test asked first and had been asked already
        self._worker_at = -1  # the place of the test that the worker was asked for last
        self._loaded_with: tuple[Files, int] | None = None

    def begin_test(self) -> None:
        """The next test starts."""
        self._answers.pop(self._place, None)  # which it did not ask for
        self._place += 1
        self._begun, self._timed = False, False

    def load(self, files: Files, seed: int) -> Frame:
        """Import the files in a fresh worker."""
        self._loaded_with, self._worker_at = (files, seed), self._place
        return super().load(files, seed)

    def ask(self, question: list[codec.Buffer], call_back: CallBack) -> Frame:
        """Answer what was asked ahead, or ask."""
        return self._answered([question], call_back)[0]

    def ask_all(self, questions: Sequence[list[codec.Buffer]]) -> Iterator[Frame]:
        """Answer what was asked ahead, or ask."""
        for batch in crossings(questions):
            yield from self._answered(batch, no_call_back)

    def cpu(self) -> float:
        """Processor time of the present worker, in seconds; what the test asks next is timed, and asked when it asks."""
        self._timed = True
        return super().cpu()

    def close(self) -> None:
        """End the worker; what it said ahead of time counts no more."""
        self._answers = {}
        super().close()

    def _answered(self, questions: list[list[codec.Buffer]], call_back: CallBack) -> list[Frame]:
        if self._begun:
            return self._go_on(questions, call_back)
        self._begun = True
        # What is timed runs while the clock is looked at, and a function of the test's is called when the test asks.
        if self._timed or call_back is not no_call_back:
            return self._ask_now(questions, call_back)
        known = self._foreseen.following(self._place)
        if not known:
            before = super().cpu()
            answers = self._ask_now(questions, no_call_back)
            self._foreseen.learn(self._place, questions, super().cpu() - before)
            return answers
        if not _alike(known[self._place].questions, questions):
            return self._ask_now(questions, no_call_back)
        if self._place not in self._answers and self._hopeful and not self.ends and len(known) > 1:
            self._ask_ahead(known)
        if self._place not in self._answers:
            return self._ask_now(questions, no_call_back)
        self._first = known[self._place].questions
        return self._answers.pop(self._place)

    def _go_on(self, questions: list[list[codec.Buffer]], call_back: CallBack) -> list[Frame]:
        self._foreseen.asks_more(self._place)
        if self._worker_at != self._place:  # its objects are forgotten: the test is begun again
            self._ask_now(self._first, no_call_back)
        return self._ask_now(questions, call_back)

    def _ask_now(self, questions: list[list[codec.Buffer]], call_back: CallBack) -> list[Frame]:
        self._worker_at = self._place
        return self._ask_all(questions, call_back)

    def _ask_ahead(self, starts: dict[int, Start]) -> None:
        """Ask what these tests ask first. When that does not end well, there is a fresh worker and no answer."""
        assert self._process is not None
        cpu = AT_LEAST + TIMES * sum(start.seconds for start in starts.values())
        most, _, _ = self._patience()  # of one question: nothing may take longer because it is asked ahead
        patience = Patience(min(cpu, most.cpu), min(WALL_FACTOR * cpu, most.wall))
        self._process.drain()
        spent, printed = self._cpu_spent + super().cpu(), self.printed + self._process.output_text()
        begin = time.monotonic()
        found: list[Frame] = []
        try:
            for batch in crossings([question for start in starts.values() for question in start.questions]):
                found += self._process.ask_all(batch, patience, no_call_back)
                if sum(len(head) + sum(map(len, buffers)) for head, buffers in found) > ANSWERS:
                    raise WorkerEnded("killed", "Its answers are too long to wait for their tests.")
        except WorkerEnded:
            self.close()
            # Our haste is not on the submission's account, and what it printed it will print again.
            self._cpu_spent, self.printed, self._hopeful = spent, printed, False
            self._load_again()
            return
        except BaseException:
            self.close()  # in the midst of a question: what it sent next would answer the wrong one
            raise
        self._wall_left -= time.monotonic() - begin
        answers = iter(found)
        self._answers = {place: [next(answers) for _ in start.questions] for place, start in starts.items()}
        self._worker_at = max(starts)

    def _load_again(self) -> None:
        assert self._loaded_with is not None
        head, _buffers = super().load(*self._loaded_with)
        if b"\xa5value" not in bytes(head[:8]):
            self.close()
            raise WorkerEnded("crashed", "The file could be imported once, and not again.")


def _alike(some: list[list[codec.Buffer]], others: list[list[codec.Buffer]]) -> bool:
    return len(some) == len(others) and all(
        len(one) == len(other) and all(part == bytes(buffer) for part, buffer in zip(one, other, strict=True))
        for one, other in zip(some, others, strict=True)
    )
