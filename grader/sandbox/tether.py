"""A worker does not outlive the process that made it."""

from __future__ import annotations

import signal

from . import _libc
from .job import Job


class DiesWithParent:
    """The kernel kills the worker when its parent ends, however that ends. After a change of user: that resets it."""

    name = "dies_with_parent"

    def missing(self) -> str | None:
        """Say why not, or None."""
        return _libc.tried(lambda: self.apply(Job.empty()))

    def apply(self, _job: Job) -> None:
        """Tie the calling process to its parent."""
        _libc.prctl(_libc.SET_PDEATHSIG, signal.SIGKILL)
