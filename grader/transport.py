"""What carries questions to one student's code, and the one that carries them nowhere: the worker in this very process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from . import codec, worker

Frame = tuple[codec.Buffer, list[codec.Buffer]]
CallBack = Callable[[codec.Buffer, list[codec.Buffer]], "list[codec.Buffer] | None"]


def no_call_back(_head: codec.Buffer, _buffers: list[codec.Buffer]) -> None:
    """Take every frame for an answer: where there are no functions of a test's."""


@dataclass(frozen=True, slots=True)
class Files:
    """A submission for one section: the source files by name, and which one is the section's."""

    sources: dict[str, bytes]
    main: str  # module name, "relu"
    section: str  # number, "13"
    available: tuple[str, ...]  # roots of the modules it may import
    folder: str = ""  # where the files lie, on a student's own machine; empty when graded


class Transport(Protocol):
    """Carries questions to one student's code."""

    @property
    def error(self) -> BaseException | None:
        """What the code raised, where that is in this very process."""

    def load(self, files: Files, seed: int) -> Frame:
        """Import the files and return the answer; a new process is made when there is none."""

    def begin_test(self) -> None:
        """Know that a test starts: what it asks first follows no answer."""

    def ask(self, question: list[codec.Buffer], call_back: CallBack) -> Frame:
        """Ask one question. Raises WorkerEnded when the process is no longer there."""

    def ask_all(self, questions: Sequence[list[codec.Buffer]]) -> Iterator[Frame]:
        """Ask questions that call no function of the test's, and answer one after the other; some may run ahead."""

    def loaded(self) -> bool:
        """Whether the files of the last `load` are still in the process."""

    def close(self) -> None:
        """Let the process go."""


class LocalTransport:
    """The worker's logic in this process: breakpoints, prints and tracebacks work; nothing guards anybody."""

    def __init__(self) -> None:
        self._worker: worker.Worker | None = None
        self._call_back: CallBack | None = None
        self._interrupted = False

    @property
    def error(self) -> BaseException | None:
        """What the code raised in the last question."""
        return self._worker.error if self._worker else None

    def load(self, files: Files, seed: int) -> Frame:
        """Import the files into this process."""
        self._worker = worker.Worker(self._back)
        sources = files.sources
        question = ["load", sources, files.main, list(files.available), files.section, files.folder, seed]
        return self.ask(codec.Encoder().frame(question), no_call_back)

    def begin_test(self) -> None:
        """Nothing is kept from one test to the next."""

    def ask_all(self, questions: Sequence[list[codec.Buffer]]) -> Iterator[Frame]:
        """Answer in this process, each question when it is wanted."""
        return (self.ask(question, no_call_back) for question in questions)

    def ask(self, question: list[codec.Buffer], call_back: CallBack) -> Frame:
        """Answer in this process."""
        assert self._worker is not None
        self._call_back, self._interrupted = call_back, False
        before = self._hear_interrupt()
        try:
            _, head, *buffers = self._worker.answer(question[1], question[2:])
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)
        if self._interrupted:
            raise KeyboardInterrupt  # a person pressed Ctrl-C; the student's code must not swallow that
        return head, buffers

    def loaded(self) -> bool:
        """Whether something is loaded."""
        return self._worker is not None

    def close(self) -> None:
        """Forget the worker."""
        self._worker = None

    def _back(self, number: int, arguments: list[Any], options: dict[str, Any]) -> Any:
        assert self._worker is not None
        assert self._call_back is not None
        _, head, *buffers = codec.Encoder(self._worker._hand_over).frame(["back", number, arguments, options])
        reply = self._call_back(head, buffers)
        assert reply is not None
        return worker.returned(reply[1], reply[2:], self._worker)

    def _hear_interrupt(self) -> Any:
        def heard(_number: int, _frame: FrameType | None) -> None:
            self._interrupted = True
            raise KeyboardInterrupt

        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return None
        try:
            return signal.signal(signal.SIGINT, heard)
        except ValueError:
            return None  # not the main thread: Ctrl-C does not arrive here
