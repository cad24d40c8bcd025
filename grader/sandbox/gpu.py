"""The weaker level `gpu`: a kernel for a GPU needs devices, libraries and a compiler, so it cannot live without files.

It runs in a process started fresh, not forked, with what can still be taken away: other users' files, the network,
privileges, memory and time without end. Used by option only and recorded in every result.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from . import _libc
from .job import Job
from .landlock import Landlock
from .limits import Limits
from .privileges import NoCapabilities, NoNewPrivileges
from .tether import DiesWithParent
from .user import OwnUser

SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
DEVICES = ("/dev", "/proc", "/sys")


class NoNetwork:
    """A network namespace without any interface."""

    name = "no_network"

    def missing(self) -> str | None:
        """Try it in a process of its own."""
        return _libc.tried(lambda: self.apply(Job.empty()))

    def apply(self, _job: Job) -> None:
        """Leave the network."""
        user, group = os.getuid(), os.getgid()
        if os.geteuid() == 0:
            _libc.unshare(_libc.NEW_NET)
            return
        _libc.unshare(_libc.NEW_NET | _libc.NEW_USER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)


class OwnUserWithPython(OwnUser):
    """A user of the worker's own, where that user can read Python itself."""

    def missing(self) -> str | None:
        """Become that user in a process of its own and look."""
        return super().missing() or _libc.tried(self._look)

    def _look(self) -> None:
        self.apply(Job.empty())
        for path in (sys.base_prefix, sys.prefix, *filter(None, sys.path)):
            if Path(path).is_dir() and not os.access(path, os.R_OK | os.X_OK):
                raise OSError(f"another user cannot read {path}, where Python lives")
        next(Path(sys.base_prefix).iterdir())


class GpuLevel:
    """The layers of one fresh process.

    Args:
        scratch: the folder that its compiler may write to.
    """

    def __init__(self, scratch: str) -> None:
        python = {sys.prefix, sys.base_prefix, *(path for path in sys.path if path)}
        order = (
            NoNetwork(), Limits(address_space=False), OwnUserWithPython(), NoCapabilities(), NoNewPrivileges(),
            Landlock(readable=(*SYSTEM, *sorted(python)), writable=(*DEVICES, scratch)), DiesWithParent(),
        )  # fmt: skip
        found = [(layer, layer.missing()) for layer in order]
        self.layers = [layer for layer, why in found if why is None]
        self.missing = {layer.name: why for layer, why in found if why is not None}

    @property
    def names(self) -> list[str]:
        """The layers that work here, with the level's name first."""
        return ["gpu", *(layer.name for layer in self.layers)]

    def apply(self, job: Job) -> None:
        """Restrict the calling process. Raises OSError if a layer fails."""
        for layer in self.layers:
            layer.apply(job)
