"""Ceilings on memory, processor time, files and threads."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from .job import Job

NICENESS = 5


class Limits:
    """The operating system's own limits, hard and soft alike; processor time alone has a second between them.

    At the soft one the kernel sends SIGXCPU, which says why; at the hard one it kills what ignored that.
    """

    name = "limits"

    def __init__(self, *, device: bool = False) -> None:
        self._device = device  # whether a GPU's driver lives in this process, which maps more than any machine has

    def missing(self) -> str | None:
        """Say why not, or None."""
        return None

    def apply(self, job: Job) -> None:
        """Set every ceiling for the calling process, and be nice to the grader."""
        ceilings = job.ceilings
        most = {
            resource.RLIMIT_CPU: ceilings.seconds,
            resource.RLIMIT_AS: ceilings.memory,
            resource.RLIMIT_FSIZE: ceilings.written,
            resource.RLIMIT_NOFILE: ceilings.open_files,
            resource.RLIMIT_NPROC: ceilings.threads,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_MEMLOCK: 0,
            resource.RLIMIT_MSGQUEUE: 0,
            resource.RLIMIT_SIGPENDING: 64,
        }
        if self._device:
            most[resource.RLIMIT_DATA] = most.pop(resource.RLIMIT_AS)
            most[resource.RLIMIT_NPROC] += _threads_of_this_user()
        for kind, value in most.items():
            _soft, hard = resource.getrlimit(kind)
            most_hard = value + 1 if kind == resource.RLIMIT_CPU else value
            allowed = most_hard if hard == resource.RLIM_INFINITY else min(most_hard, hard)
            resource.setrlimit(kind, (min(value, allowed), allowed))
        os.nice(NICENESS)


def _threads_of_this_user() -> int:
    """How many there are: the kernel counts all of them, and a person's desktop has hundreds."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            facts = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
            count += int(facts["Threads"]) * (facts["Uid"].split()[0] == str(os.getuid()))
    return count
