"""The jail's core: a list of the system calls a worker may make. No files, no sockets, no processes, no signals.

It is possible because the zygote has imported everything and the submission comes over the wire. It needs no root, no
namespace and no other security module, and holds under a container's default profile. What is not listed answers
"operation not permitted", so student code sees PermissionError.

The program is classic BPF (seccomp(2), linux/filter.h), for x86_64 and aarch64.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
from collections.abc import Iterable

from . import _libc
from .job import Job

# Name: number on x86_64, number on aarch64 (None where that machine has no such call).
ALLOWED: dict[str, tuple[int, int | None]] = {
    # the channel: descriptors 0 to 3, open since before the lid closed
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62), "dup": (32, 23),
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72),
    # memory
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216),
    "madvise": (28, 233), "msync": (26, 227),
    # signals to oneself
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "alarm": (37, None), "setitimer": (38, 103), "getitimer": (36, 102),
    # time
    "nanosleep": (35, 101), "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153),
    # oneself
    "getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150),
    "getgroups": (115, 158), "getrusage": (98, 165), "getrlimit": (97, 163), "uname": (63, 160),
    "sysinfo": (99, 179), "getcpu": (309, 168), "getrandom": (318, 278),
    # threads
    "futex": (202, 98), "set_robust_list": (273, 99), "get_robust_list": (274, 100), "set_tid_address": (218, 96),
    "rseq": (334, 293), "membarrier": (324, 283), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121), "sched_getscheduler": (145, 120), "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126), "restart_syscall": (219, 128),
    # the end
    "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
CLONE, CLONE3, PRCTL, PRLIMIT, IOCTL, FCNTL, KILL, TGKILL = (
    (56, 220), (435, 435), (157, 167), (302, 261), (16, 29), (72, 25), (62, 129), (234, 131),
)  # fmt: skip

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SECCOMP = {"x86_64": 317, "aarch64": 277}
SET_MODE_FILTER, SPEC_ALLOW = 1, 4  # without the flag, kernels before 5.16 slow the process down

CLONE_THREAD = 0x10000
CLONE_NEW = 0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000
PR_HARMLESS = (3, 15, 16, 39, 0x53564D41)  # get dumpable, set and get name, get no_new_privs, name a mapping
IOCTL_HARMLESS = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451, 0x5413)  # is it a terminal, its size, bytes waiting, flags
FCNTL_HARMLESS = (0, 1, 2, 3, 1030, 1032)  # duplicate, flags, pipe size. Never the owner of signals: that kills others
F_SETFL, O_ASYNC = 4, 0o20000

ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
REFUSE, NO_SUCH_CALL = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
NO_TERMINAL = 0x00050000 | errno.ENOTTY
LOAD, EQUAL, ANY_BIT, AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value & 0xFFFFFFFF)


def _low(argument: int) -> bytes:
    return _step(LOAD, ARGUMENTS_AT + 8 * argument)


def _high(argument: int) -> bytes:
    return _step(LOAD, ARGUMENTS_AT + 8 * argument + 4)


def _any_of(values: Iterable[int], otherwise: int) -> list[bytes]:
    body: list[bytes] = []
    for value in values:
        body += [_step(EQUAL, value, 0, 1), _step(RETURN, ALLOW)]
    return [*body, _step(RETURN, otherwise)]


@functools.cache
def program(machine: str, pid: int) -> bytes:
    """Return the filter for one machine and one process, which may send signals to itself only.

    Raises:
        ValueError: there is no table for this machine.
    """
    if machine not in AUDIT_ARCH:
        raise ValueError(f"no table of system calls for {machine}")
    place = 0 if machine == "x86_64" else 1
    steps = [
        _step(LOAD, ARCH_AT), _step(EQUAL, AUDIT_ARCH[machine], 1, 0), _step(RETURN, KILL_PROCESS),
        _step(LOAD, NUMBER_AT),
    ]  # fmt: skip
    if machine == "x86_64":  # the x32 calls share the architecture's number
        steps += [_step(AT_LEAST, 0x40000000, 0, 1), _step(RETURN, KILL_PROCESS)]
    for numbers in ALLOWED.values():
        number = numbers[place]
        if number is not None:
            steps += [_step(EQUAL, number, 0, 1), _step(RETURN, ALLOW)]
    itself = [_low(0), _step(EQUAL, pid, 0, 1), _step(RETURN, ALLOW), _step(RETURN, REFUSE)]
    rules: list[tuple[tuple[int, int], list[bytes]]] = [
        # Threads, never processes or namespaces. clone3 hides its flags in memory; the C library falls back.
        (CLONE, [_low(0), _step(ANY_BIT, CLONE_THREAD, 0, 2), _step(ANY_BIT, CLONE_NEW, 1, 0),
                 _step(RETURN, ALLOW), _step(RETURN, REFUSE)]),
        (CLONE3, [_step(RETURN, NO_SUCH_CALL)]),
        (PRCTL, [_low(0), *_any_of(PR_HARMLESS, REFUSE)]),
        # Reading limits only, and only one's own: no new limits (argument 2), process 0.
        (PRLIMIT, [_low(0), _step(EQUAL, 0, 0, 5), _low(2), _step(EQUAL, 0, 0, 3), _high(2),
                   _step(EQUAL, 0, 0, 1), _step(RETURN, ALLOW), _step(RETURN, REFUSE)]),
        (IOCTL, [_low(1), *_any_of(IOCTL_HARMLESS, NO_TERMINAL)]),
        (FCNTL, [_low(1), _step(EQUAL, F_SETFL, 0, 4), _low(2), _step(ANY_BIT, O_ASYNC, 1, 0),
                 _step(RETURN, ALLOW), _step(RETURN, REFUSE), *_any_of(FCNTL_HARMLESS, REFUSE)]),
        (KILL, itself),
        (TGKILL, itself),
    ]  # fmt: skip
    for numbers, body in rules:
        steps += [_step(EQUAL, numbers[place], 0, len(body)), *body]
    return b"".join([*steps, _step(RETURN, REFUSE)])


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def install(steps: bytes) -> None:
    """Put a filter over the calling thread, for good. Raises OSError when the kernel refuses."""
    buffer = ctypes.create_string_buffer(steps, len(steps))
    described = _Program(len(steps) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    number = SECCOMP[platform.machine()]
    _libc.call(number, SET_MODE_FILTER, SPEC_ALLOW, ctypes.byref(described), what="seccomp")


class SystemCalls:
    """The allow-list. Comes last: every other layer would be refused by it."""

    name = "system_calls"

    def missing(self) -> str | None:
        """Try it in a forked child: with the filter in place, opening a file must be refused."""
        if platform.machine() not in AUDIT_ARCH or os.uname().sysname != "Linux":
            return f"there is no table of system calls for {platform.system()} on {platform.machine()}"
        program(platform.machine(), 1)  # where there are namespaces it is the same for every worker, and made once
        return _libc.tried(self._try)

    def apply(self, _job: Job) -> None:
        """Close the lid."""
        install(program(platform.machine(), os.getpid()))

    def _try(self) -> None:
        _libc.prctl(_libc.SET_NO_NEW_PRIVS, 1)
        self.apply(Job.empty())
        try:
            os.open("/", os.O_RDONLY)
        except PermissionError:
            return
        raise OSError("the filter was taken, but files can still be opened")
