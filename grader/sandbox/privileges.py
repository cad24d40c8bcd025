"""No way up: nothing the worker starts gains rights, and no process of the same user looks into it."""

from __future__ import annotations

from . import _libc
from .job import Job


class NoCapabilities:
    """No capability of any kind, also where the worker is root of its own user namespace."""

    name = "no_capabilities"

    def missing(self) -> str | None:
        """Say why not, or None."""
        return _libc.tried(_libc.drop_capabilities)

    def apply(self, _job: Job) -> None:
        """Give all of them up, for good."""
        _libc.drop_capabilities()


class NoNewPrivileges:
    """A setuid program started from here has no effect."""

    name = "no_new_privileges"

    def missing(self) -> str | None:
        """Say why not, or None."""
        return _libc.tried(lambda: self.apply(Job.empty()))

    def apply(self, _job: Job) -> None:
        """Give up gaining privileges, for good."""
        _libc.prctl(_libc.SET_NO_NEW_PRIVS, 1)


class NotDumpable:
    """No core file, and no process of the same user may trace this one."""

    name = "not_dumpable"

    def missing(self) -> str | None:
        """Say why not, or None."""
        return _libc.tried(lambda: self.apply(Job.empty()))

    def apply(self, _job: Job) -> None:
        """Make the calling process not dumpable."""
        _libc.prctl(_libc.SET_DUMPABLE, 0)
