"""Namespaces: a worker that sees no file, no other process, no shared memory and no network of this machine.

The zygote enters network, IPC, host name, mount and process namespaces once, at its start; every worker is process 1 of
a namespace of its own, so whatever it might start dies with it, and its root is an empty folder that cannot be written.
Root may do this, and ordinary users where unprivileged user namespaces are allowed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import tempfile
from pathlib import Path

from . import _libc
from .job import OUT_OF_THE_WAY, Job

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 16384, 1 << 18
WAIT = "import os, sys; os._exit(os.waitpid(int(sys.argv[1]), 0)[1] != 0)"
ALL = _libc.NEW_NS | _libc.NEW_NET | _libc.NEW_IPC | _libc.NEW_UTS | _libc.NEW_PID


class Namespaces:
    """The namespaces of one zygote."""

    name = "namespaces"

    def __init__(self) -> None:
        self._root = -1  # descriptor of the empty folder
        self._own_processes = -1  # descriptor of the zygote's own process namespace

    def missing(self) -> str | None:
        """Try the whole way in a process of its own.

        Half of it must never be done here: where the user's map is refused after the user namespace was made, the
        process is stuck as nobody, and its second fork fails.
        """
        return _libc.tried(self._try)

    def enter(self) -> None:
        """Enter for good, and return in a new process; the old one only waits for it. Before any thread is started."""
        _leave_shared()
        child = os.fork()
        if child:
            _wait_for(child)
        _libc.prctl(_libc.SET_PDEATHSIG, signal.SIGKILL)
        low = _empty_folder()
        self._root = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY)
        os.close(low)
        self._own_processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def fork(self) -> int:
        """Fork so that the child is process 1 of a namespace of its own."""
        # Only from its own namespace may a process ask for a further one: after a worker has died, go back first.
        _libc.setns(self._own_processes, _libc.NEW_PID)
        _libc.unshare(_libc.NEW_PID)
        return os.fork()

    def apply(self, _job: Job) -> None:
        """Make the empty folder the root."""
        os.fchdir(self._root)
        os.chroot(".")
        os.chdir("/")

    def _try(self) -> None:
        _leave_shared()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(_empty_folder())
                code = 0
            finally:
                os._exit(code)
        if os.waitpid(child, 0)[1] != 0:
            raise OSError("the namespaces can be entered, but nothing can be mounted in them")


def _leave_shared() -> None:
    user, group = os.getuid(), os.getgid()
    if os.geteuid() == 0:
        _libc.unshare(ALL)
        return
    _libc.unshare(ALL | _libc.NEW_USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", name).write_text(text)


def _wait_for(child: int) -> None:
    """Stand between the grader, which knows this process, and the zygote, which lives in the namespaces."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    with contextlib.suppress(OSError):
        # What was imported takes three times the memory of a bare interpreter, which can wait as well.
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", WAIT, str(child), "zygote"])  # noqa: S606  ours
    _pid, status = os.waitpid(child, 0)
    os._exit(0 if status == 0 else 1)


def _empty_folder() -> int:
    """Mount an empty, read-only file system where nobody else sees it, and return its descriptor."""
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    place = tempfile.mkdtemp(prefix="nnkit-")
    try:
        mount("nnkit", place, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
        return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        # The mount stays with its descriptor; the folder below it goes, also if the mount failed.
        _detach(place)
        Path(place).rmdir()


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Put a file system in its place. Raises OSError when the kernel refuses."""
    words = [None if text is None else text.encode() for text in (source, target, kind)]
    _libc.function("mount", *words, ctypes.c_ulong(flags), options.encode() or None)


def _detach(target: str) -> None:
    try:
        _libc.function("umount2", target.encode(), 2)
    except OSError:
        return  # nothing was mounted
