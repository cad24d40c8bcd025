"""Ceilings on memory, processor time, files and threads."""

from __future__ import annotations

import resource
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What one worker may use in its whole life. (A plain file as stdout counts too: give workers a pipe.)"""

    memory: int  # bytes of address space
    seconds: int  # of processor time
    written: int = 16 << 20  # bytes per file
    open_files: int = 64
    threads: int = 64  # of this user; not enforced for root


class Limits:
    """The operating system's own limits, hard and soft alike; processor time alone has a second between them.

    At the soft one the kernel sends SIGXCPU, which says why; at the hard one it kills what ignored that.
    """

    name = "limits"

    def missing(self) -> str | None:
        """Say why not, or None."""
        return None

    def apply(self, ceilings: Ceilings) -> None:
        """Set every ceiling for the calling process."""
        most = {
            resource.RLIMIT_CPU: ceilings.seconds,
            resource.RLIMIT_AS: ceilings.memory,
            resource.RLIMIT_FSIZE: ceilings.written,
            resource.RLIMIT_NOFILE: ceilings.open_files,
            resource.RLIMIT_NPROC: ceilings.threads,
            resource.RLIMIT_CORE: 0,
        }
        for kind, value in most.items():
            _soft, hard = resource.getrlimit(kind)
            most_hard = value + 1 if kind == resource.RLIMIT_CPU else value
            allowed = most_hard if hard == resource.RLIM_INFINITY else min(most_hard, hard)
            resource.setrlimit(kind, (min(value, allowed), allowed))
