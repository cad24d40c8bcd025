"""What comparisons and grading processes of this machine have claimed, its cores above all, and staying on one core."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

CLAIM = "nnkit-core"  # first part of the names that say which cores are in use


@contextlib.contextmanager
def claimed(name: str) -> Iterator[bool]:
    """Whether a name is nobody else's on this machine; it is ours while this lasts, and ends with the process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
        try:
            claim.bind(f"\0{name}")
        except OSError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def claimed_core() -> Iterator[int | None]:
    """A core that nobody else on this machine has claimed, for as long as this lasts; None when all are."""
    with contextlib.ExitStack() as held:
        cores = sorted(os.sched_getaffinity(0))
        yield next((core for core in cores if held.enter_context(claimed(f"{CLAIM}-{core}"))), None)


@contextlib.contextmanager
def on_one_core() -> Iterator[None]:
    """Keep this process, and with it the workers that it asks, on a core that is nobody else's, where there is one.

    A grader and its worker take turns. On two cores each question wakes a sleeping one up and fills its caches anew,
    which costs more processor time than the question.
    """
    before = os.sched_getaffinity(0)
    with claimed_core() as core:
        if core is not None:
            _stay(0, {core})
        try:
            yield
        finally:
            _stay(0, before)


def bring_along(pid: int) -> None:
    """Let another process run where this one may."""
    _stay(pid, os.sched_getaffinity(0))


def _stay(pid: int, cores: set[int]) -> None:
    # Another user's process, or a system that forbids it: then it runs wherever it is put, and is slower.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(pid, cores)
