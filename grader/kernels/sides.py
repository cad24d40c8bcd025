"""One worker that is timed: pinned to one core, stopped between calls, its clock and its memory read from outside."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..cores import claimed_core
from ..errors import OurFault
from ..processes import Process
from ..remote import RemoteTransport
from ..student import Student, StudentError
from .look import Run

STOP_SECONDS = 10.0  # for a process to be stopped; it takes microseconds unless the kernel is in trouble
STOPPED = {"T", "t", "Z", "X"}  # states of a thread that runs no more


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed call."""

    seconds: float  # what is charged: processor time of all threads, until the process stood still
    wall: float  # seconds on the clock
    queued: float  # seconds in which it, or the process that asks, wanted to work and others had the core
    answer: Any  # what arrived before the clock stopped; nothing can change it any more

    @property
    def waited(self) -> float:
        """Seconds in which the process neither worked nor could have: it was sent data, or had others work for it."""
        return max(self.wall - self.seconds - self.queued, 0.0)


class Side:
    """One side of a comparison.

    Between calls the process is stopped, so that nothing can be computed ahead or finished late, and what still ran
    after the answer is charged.

    Args:
        module: the code, in a worker of its own.
        freezes: whether the process is stopped between calls; for tests that show what that is for.
    """

    def __init__(self, module: Student, *, freezes: bool = True) -> None:
        if not isinstance(module.transport, RemoteTransport):
            raise OurFault("Kernels are measured between workers; this module runs in the grader's own process.")
        self.module, self.transport, self._freezes = module, module.transport, freezes

    def meet(self, core: int | None) -> None:
        """Have the code loaded, and the worker pinned to a core where that is possible."""
        self.module._loaded()
        if core is not None:
            with contextlib.suppress(OSError):  # another user's process, without the right to: it stays where it is
                os.sched_setaffinity(self.process.pid, {core})

    @property
    def process(self) -> Process:
        """The worker."""
        process = self.transport._process
        if process is None:
            raise StudentError("The worker is no longer there.")
        return process

    def call(self, run: Run, inputs: tuple[Any, ...]) -> Sample:
        """Run once on these inputs, which the worker has not seen before the clock starts."""
        return self.timed(lambda: run(self.module, *inputs))

    def timed(self, action: Callable[[], object]) -> Sample:
        """Let the worker run for one question."""
        with self.module.unwatched():
            self._signal(signal.SIGCONT)
            queued, start, clock = self._queued(), self.transport.cpu(), time.perf_counter()
            answer = action()
            wall = time.perf_counter() - clock
            self.freeze()
            return Sample(self.transport.cpu() - start, wall, self._queued() - queued, answer)

    def way(self, inputs: tuple[Any, ...], answer: Any) -> float:
        """Seconds that sending inputs there and the answer back costs: half of sending both there and back."""
        return sum(self.timed(partial(self.module.echo, what)).seconds for what in ([*inputs], answer)) / 2

    def freeze(self) -> None:
        """Stop the process and wait until no thread of it runs. Raises StudentError when it has ended instead."""
        if not self._freezes or not self.transport.loaded():
            return
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + STOP_SECONDS
        while not stopped(self.process.pid):
            os.sched_yield()
            if time.monotonic() > deadline:
                raise OurFault("A worker could not be stopped between two timed calls.")
        if select.select([self.process._pidfd], [], [], 0)[0]:
            raise self._ended()

    def release(self) -> None:
        """Let the process go on: it answers questions that are not timed."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._freezes and self.transport.loaded():
            try:
                signal.pidfd_send_signal(self.process._pidfd, number)
            except ProcessLookupError:
                raise self._ended() from None

    def _ended(self) -> StudentError | OurFault:
        """Book a worker that ended by itself between two questions, and return what to raise."""
        ended = self.process.ended_by_itself()
        self.transport.ends.append((ended.state, str(ended)))
        self.transport.close()
        if self.module._ours:
            return OurFault(f"The reference's worker ended while it was timed. {ended}")
        return StudentError(f"The worker ended while it was timed. {ended}")

    def _queued(self) -> float:
        """Seconds that the worker and this process have waited for a core so far, where the kernel counts that."""
        try:
            places = (Path(f"/proc/{self.process.pid}/schedstat"), Path("/proc/thread-self/schedstat"))
            return sum(int(place.read_text("ascii").split()[1]) for place in places) * 1e-9
        except (OSError, StudentError):
            return 0.0

    def peak(self) -> int:
        """Most memory that the process has had in use so far, in bytes, as the kernel counts it."""
        return status(self.process.pid)["VmHWM"] << 10


def status(pid: int) -> dict[str, int]:
    """The numbers that the kernel tells about a process, in its own units: kB, counts."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        name, _, text = line.partition(":")
        word = text.split()[0] if text.split() else ""
        if word.isdigit():
            found[name] = int(word)
    return found


def stopped(pid: int) -> bool:
    """Whether no thread of a process runs. One that is gone runs no more."""
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            if (task / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] not in STOPPED:
                return False
    except FileNotFoundError:
        return True
    return True


@contextlib.contextmanager
def own_core() -> Iterator[int]:
    """A core that no other comparison on this machine uses, as far as there are enough of them."""
    cores = sorted(os.sched_getaffinity(0))
    with claimed_core() as core:
        # where all are taken, one is shared: processor time hardly minds
        yield cores[os.getpid() % len(cores)] if core is None else core
