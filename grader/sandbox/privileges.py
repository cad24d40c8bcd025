"""No way up: nothing the worker starts gains rights, and no process of the same user looks into it."""

from __future__ import annotations

from . import _prctl
from .limits import Ceilings


class NoNewPrivileges:
    """A setuid program started from here has no effect."""

    name = "no_new_privileges"

    def missing(self) -> str | None:
        """Say why not, or None."""
        return _prctl.missing()

    def apply(self, _ceilings: Ceilings) -> None:
        """Give up gaining privileges, for good."""
        _prctl.prctl(_prctl.SET_NO_NEW_PRIVS, 1)


class NotDumpable:
    """No core file, and no process of the same user may trace this one."""

    name = "not_dumpable"

    def missing(self) -> str | None:
        """Say why not, or None."""
        return _prctl.missing()

    def apply(self, _ceilings: Ceilings) -> None:
        """Make the calling process not dumpable."""
        _prctl.prctl(_prctl.SET_DUMPABLE, 0)
