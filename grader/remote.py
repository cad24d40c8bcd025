"""A student's code in a jailed process: the transport of grading."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import codec
from .errors import WorkerEnded
from .processes import Client, FreshClient, Patience, Process
from .sandbox import Ceilings
from .transport import CallBack, Files, Frame, no_call_back

AT_ONCE = 256 << 10  # bytes of questions in one crossing: less than the channel holds, so nobody waits for the other
MOST_AT_ONCE = 100


@dataclass(slots=True)
class Budget:
    """What one submission may use in one section, or in one training, in seconds; spent across all its workers.

    `used_up` is what to say when nothing is left, with the seconds in place of the braces.
    """

    cpu: float
    wall: float
    per_question: Patience
    after_first_timeout: Patience
    used_up: str = "The submission's {} for this section are used up."

    @property
    def no_cpu(self) -> str:
        """What to say when there is no processor time left."""
        return self.used_up.format(f"{self.cpu:g} s of processor time")

    @property
    def no_wall(self) -> str:
        """What to say when there is no time left."""
        return self.used_up.format(f"{self.wall:g} s")


class RemoteTransport:
    """A jailed worker process; a new one takes the place of one that is gone.

    Attributes:
        ends: the state and sentence of every worker that did not survive, in order.
        layers: isolation that the last worker stood in.
    """

    def __init__(
        self, client: Client | FreshClient, ceilings: Ceilings, budget: Budget, *, reuse: bool = False
    ) -> None:
        self._client, self._ceilings, self._budget, self._reuse = client, ceilings, budget, reuse
        self._process: Process | None = None
        self._cpu_spent = 0.0
        self._wall_left = budget.wall
        self.ends: list[tuple[str, str]] = []
        self.layers: list[str] = []
        self.printed = ""

    @property
    def error(self) -> None:
        """What the code raised stays in the worker."""

    def load(self, files: Files, seed: int) -> Frame:
        """Import the files in a fresh worker; with `reuse`, for code of ours, in the one that is there."""
        if not (self._reuse and self.loaded()):
            self.close()
            self._process = self._client.fork(self._ceilings)
            self.layers = self._process.layers
        question = ["load", files.sources, files.main, list(files.available), files.section, files.folder, seed]
        return self._ask_all([codec.Encoder().frame(question)], no_call_back)[0]

    def begin_test(self) -> None:
        """Nothing is kept from one test to the next."""

    def ask(self, question: list[codec.Buffer], call_back: CallBack) -> Frame:
        """Ask the worker within what is left of the budget."""
        return self._ask_all([question], call_back)[0]

    def ask_all(self, questions: Sequence[list[codec.Buffer]]) -> Iterator[Frame]:
        """Ask the worker many questions with few crossings."""
        for batch in crossings(questions):
            yield from self._ask_all(batch, no_call_back)

    def _ask_all(self, questions: list[list[codec.Buffer]], call_back: CallBack) -> list[Frame]:
        assert self._process is not None
        process, (patience, no_cpu, no_wall) = self._process, self._patience()
        start = time.monotonic()
        try:
            return process.ask_all(questions, patience, call_back)
        except WorkerEnded as ended:
            last = no_wall if time.monotonic() - start >= patience.wall else no_cpu
            told = last if last and ended.state == "timeout" else str(ended)
            self.ends.append((ended.state, told))
            self.close()
            raise WorkerEnded(ended.state, told) from None
        except BaseException:
            self.close()  # in the midst of a question: what it sent next would answer the wrong one
            raise
        finally:
            self._wall_left -= time.monotonic() - start

    def cpu(self) -> float:
        """Processor time of the present worker, in seconds, read from outside."""
        return self._process.cpu() if self._process is not None else 0.0

    def loaded(self) -> bool:
        """Whether the worker is still there."""
        return self._process is not None and self._process.running

    def close(self) -> None:
        """End the worker and book what it used."""
        if self._process is not None:
            self._process.end()
            self._cpu_spent += self._process.seconds
            self.printed = (self.printed + self._process.output_text())[: 64 << 10]
            self._process = None

    def _patience(self) -> tuple[Patience, str, str]:
        """How long one crossing may take, whatever it asks.

        And what to say when its processor time, or its time, is the last of the budget and runs out.
        """
        assert self._process is not None
        timed_out = any(state == "timeout" for state, _ in self.ends)
        most = self._budget.after_first_timeout if timed_out else self._budget.per_question
        cpu_left = self._budget.cpu - self._cpu_spent - self._process.cpu()
        if min(cpu_left, self._wall_left) <= 0:
            sentence = self._budget.no_cpu if cpu_left <= 0 else self._budget.no_wall
            self.ends.append(("timeout", sentence))
            self.close()
            raise WorkerEnded("timeout", sentence)
        patience = Patience(min(most.cpu, cpu_left), min(most.wall, self._wall_left))
        no_cpu = self._budget.no_cpu if cpu_left < most.cpu else ""
        return patience, no_cpu, self._budget.no_wall if self._wall_left < most.wall else ""


def crossings(questions: Sequence[list[codec.Buffer]]) -> Iterator[list[list[codec.Buffer]]]:
    """Part questions into crossings: each time as many as fit into the channel."""
    batch: list[list[codec.Buffer]] = []
    size = 0
    for question in questions:
        length = sum(map(len, question))
        if batch and (size + length > AT_ONCE or len(batch) == MOST_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(question)
        size += length
    if batch:
        yield batch
