"""The lock of the level `gpu`, whose code needs files and programs: what no kernel for a GPU needs is refused.

A list of what is forbidden is weaker than the jail's list of what is allowed; it holds what the level promises wherever
filters work. No socket of any kind is made, so there is no network, and no service on this machine that would do what
the process may not. Nothing leaves the process group, so that the whole of it can be ended. Nothing outlives its process
in the kernel: shared memory, queues, keys. Nobody else is signalled, traced or limited.
"""

from __future__ import annotations

import os
import platform

from . import _libc, syscalls
from .job import Job
from .syscalls import ALLOW, ANY_BIT, AUDIT_ARCH, EQUAL, KILL_PROCESS, LOAD, NO_SUCH_CALL, REFUSE, RETURN

NONE = 1 << 20  # a number that no call has
# Name: number on x86_64, number on aarch64.
REFUSED: dict[str, tuple[int, int]] = {
    # sockets, and the calls that make them for others
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # leaving the process group
    "setsid": (112, 157), "setpgid": (109, 154),
    # what outlives a process
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219),
    # other processes
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    # whose files are, their modes and times: by path, which no other layer forbids for the grader's own user
    "chmod": (90, NONE), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, NONE), "lchown": (94, NONE),
    "fchownat": (260, 54), "utime": (132, NONE), "utimes": (235, NONE), "futimesat": (261, NONE), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "removexattr": (197, 14), "lremovexattr": (198, 15),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    # the kernel's own doors
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "personality": (135, 92),
    "seccomp": (317, 277),
}  # fmt: skip
SCHED_SETAFFINITY = (203, 122)
F_SETOWN, F_SETSIG, F_SETOWN_EX = 8, 10, 15  # would have the kernel send signals to others
FIOSETOWN, SIOCSPGRP, TIOCSTI = 0x8901, 0x8902, 0x5412  # the same, and typing into a terminal


def program(machine: str, pid: int) -> bytes:
    """Return the filter for one machine and one process; it and its children may send signals to it only.

    Raises:
        ValueError: there is no table for this machine.
    """
    if machine not in AUDIT_ARCH:
        raise ValueError(f"no table of system calls for {machine}")
    place, step = 0 if machine == "x86_64" else 1, syscalls._step
    steps = [
        step(LOAD, syscalls.ARCH_AT), step(EQUAL, AUDIT_ARCH[machine], 1, 0), step(RETURN, KILL_PROCESS),
        step(LOAD, syscalls.NUMBER_AT),
    ]  # fmt: skip
    if machine == "x86_64":
        steps += [step(syscalls.AT_LEAST, 0x40000000, 0, 1), step(RETURN, KILL_PROCESS)]
    for numbers in REFUSED.values():
        steps += [step(EQUAL, numbers[place], 0, 1), step(RETURN, REFUSE)]
    itself = [syscalls._low(0), step(EQUAL, pid, 1, 0), step(RETURN, REFUSE), step(RETURN, ALLOW)]
    zero = [syscalls._low(0), step(EQUAL, 0, 0, 1), step(RETURN, ALLOW)]
    rules: list[tuple[tuple[int, int], list[bytes]]] = [
        (syscalls.KILL, itself),
        (syscalls.TGKILL, itself),
        (syscalls.CLONE3, [step(RETURN, NO_SUCH_CALL)]),  # hides its flags in memory; the C library falls back
        (syscalls.CLONE, [syscalls._low(0), step(ANY_BIT, syscalls.CLONE_NEW & ~0x80, 0, 1), step(RETURN, REFUSE),
                          step(RETURN, ALLOW)]),
        (syscalls.PRLIMIT, [*zero, *itself]),
        (SCHED_SETAFFINITY, [*zero, *itself]),
        (syscalls.FCNTL, [syscalls._low(1), *_none_of((F_SETOWN, F_SETSIG, F_SETOWN_EX))]),
        (syscalls.IOCTL, [syscalls._low(1), *_none_of((FIOSETOWN, SIOCSPGRP, TIOCSTI))]),
    ]  # fmt: skip
    for numbers, body in rules:
        steps += [step(EQUAL, numbers[place], 0, len(body)), *body]
    return b"".join([*steps, step(RETURN, ALLOW)])


def _none_of(values: tuple[int, ...]) -> list[bytes]:
    body: list[bytes] = []
    for value in values:
        body += [syscalls._step(EQUAL, value, 0, 1), syscalls._step(RETURN, REFUSE)]
    return [*body, syscalls._step(RETURN, ALLOW)]


class FewerCalls:
    """The list. Comes last: earlier layers need what it refuses."""

    name = "fewer_calls"

    def missing(self) -> str | None:
        """Try it in a forked child: with the filter in place, making a socket must be refused."""
        if platform.machine() not in AUDIT_ARCH or os.uname().sysname != "Linux":
            return f"there is no table of system calls for {platform.system()} on {platform.machine()}"
        return _libc.tried(self._try)

    def apply(self, _job: Job) -> None:
        """Refuse them, for good, for the calling process and all that it starts."""
        syscalls.install(program(platform.machine(), os.getpid()))

    def _try(self) -> None:
        _libc.prctl(_libc.SET_NO_NEW_PRIVS, 1)
        self.apply(Job.empty())
        try:
            _libc.function("socket", 1, 1, 0)
        except PermissionError:
            return
        raise OSError("the filter was taken, but sockets can still be made")
