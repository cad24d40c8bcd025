"""The weaker level `gpu`: a kernel for a GPU needs devices, libraries and a compiler, so it cannot live without files.

It runs in a process started fresh, not forked, with what can still be taken away: other users' files, the network,
privileges, memory and time without end. Used by option only and recorded in every result.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from . import _libc, view
from .fewer_calls import FewerCalls
from .job import Job
from .landlock import Landlock
from .limits import Limits
from .privileges import NoCapabilities, NoNewPrivileges
from .tether import DiesWithParent
from .user import FIRST_USER, OwnUser

SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
    "/etc/alternatives", "/proc", "/sys",
)  # fmt: skip
# By name: beside them lie the machine's disks, its memory and its terminals.
DEVICES = ("null", "zero", "full", "random", "urandom", "nvidia*", "dri", "kfd")
SCRATCH_BYTES, SCRATCH_FILES = 1 << 30, 1 << 14


class OwnUserWithPython(OwnUser):
    """A user of the worker's own, in a view of the files in which that user reaches Python and not what is closed.

    Args:
        scratch: a folder that becomes this user's.
        closed: folders that are empty in the view.
    """

    def __init__(self, scratch: str, closed: Iterable[str]) -> None:
        self._scratch, self._closed = scratch, tuple(closed)
        self._mounts = True

    def missing(self) -> str | None:
        """Become that user in a process of its own and look."""
        self._mounts = _libc.tried(self._change_view) is None  # containers forbid it; Python may be in reach anyway
        return super().missing() or _libc.tried(self._look)

    def apply(self, job: Job) -> None:
        """Change the view where that works, hand over the folder, and become the slot's user."""
        if self._mounts:
            self._change_view()
        user = FIRST_USER + job.slot
        os.chown(self._scratch, user, user)
        super().apply(job)
        os.chdir(self._scratch)  # by its path: where it was before may lie under what is mounted now

    def _change_view(self) -> None:
        view.leave()
        view.open_way_to([sys.prefix, sys.base_prefix, self._scratch])
        for folder in filter(os.path.isdir, self._closed):
            view.cover(Path(folder))
        view.bound(self._scratch, SCRATCH_BYTES, SCRATCH_FILES)

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
        closed: folders that must not be readable at all.
    """

    def __init__(self, scratch: str, closed: Iterable[str]) -> None:
        self._closed = tuple(closed)
        python = sorted({sys.prefix, sys.base_prefix, *(path for path in sys.path if path)})
        devices = sorted(str(path) for name in DEVICES for path in Path("/dev").glob(name))
        order = (
            OwnUserWithPython(scratch, self._closed), Limits(device=True), NoCapabilities(), NoNewPrivileges(),
            Landlock(readable=(*SYSTEM, *python), writable=(*devices, scratch)), DiesWithParent(), FewerCalls(),
        )  # fmt: skip
        found = [(layer, layer.missing()) for layer in order]
        self.layers = [layer for layer, why in found if why is None]
        self.missing = {layer.name: why for layer, why in found if why is not None}

    @property
    def names(self) -> list[str]:
        """The layers that work here, with the level's name first."""
        return ["gpu", *(layer.name for layer in self.layers)]

    @property
    def refusal(self) -> str | None:
        """Why no untrusted code may run here at this level, or None."""
        if FewerCalls.name in self.missing:
            return f"nothing keeps it off the network ({self.missing[FewerCalls.name]})"
        if OwnUser.name in self.missing and os.geteuid() == 0:
            return f"it would run as root ({self.missing[OwnUser.name]})"
        if {OwnUser.name, Landlock.name} <= set(self.missing):
            return f"nothing keeps it off the grader's files ({self.missing[Landlock.name]})"
        return None

    def apply(self, job: Job) -> None:
        """Restrict the calling process. Raises OSError if a layer fails."""
        for layer in self.layers:
            layer.apply(job)

    def left_open(self) -> str | None:
        """Behind the layers: say which folder can be read that must not be, or None."""
        for folder in self._closed:
            try:
                found = os.listdir(folder)  # noqa: PTH208 - what matters is whether it can be read
            except OSError:
                continue
            if found:
                return f"the worker can read {folder} (take it away from other users with chmod o-rwx)"
        return None
