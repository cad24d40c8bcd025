"""Linux calls that Python 3.11 has no function for, through ctypes."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SET_PDEATHSIG, SET_DUMPABLE, SET_NO_NEW_PRIVS = 1, 4, 38
NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
CAPABILITIES_VERSION_3 = 0x20080522
HUGE_PAGE = 2 << 20  # bytes
DONT_NEED, COLLAPSE = 4, 25  # MADV_...
SMAPS = Path("/proc/self/smaps")
NOT_LINUX = "this layer needs Linux"

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
if _libc is not None:
    _libc.syscall.restype = ctypes.c_long


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def call(number: int, *arguments: object, what: str) -> int:
    """Make a system call by its number. Raises OSError when the kernel refuses."""
    if _libc is None:
        raise OSError(NOT_LINUX)
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *words), what)


def prctl(option: int, value: int) -> None:
    """Set one of the calling process's own options. Raises OSError when the kernel refuses."""
    if _libc is None:
        raise OSError(NOT_LINUX)
    _checked(_libc.prctl(*(ctypes.c_ulong(word) for word in (option, value, 0, 0, 0))), f"prctl({option})")


def unshare(flags: int) -> None:
    """Leave shared namespaces. Raises OSError when the kernel refuses."""
    if _libc is None:
        raise OSError(NOT_LINUX)
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Enter a namespace. Raises OSError when the kernel refuses."""
    if _libc is None:
        raise OSError(NOT_LINUX)
    _checked(_libc.setns(descriptor, kind), "setns")


def drop_capabilities() -> None:
    """Give up every capability of this thread."""
    if _libc is None:
        raise OSError(NOT_LINUX)
    header = struct.pack("<Ii", CAPABILITIES_VERSION_3, 0)
    _checked(_libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24))), "capset")


def tried(action: Callable[[], None]) -> str | None:
    """Do something in a forked child and return why it failed there, or None.

    What restricts a process cannot be taken back, so it is never tried in this one.
    """
    if _libc is None:
        return NOT_LINUX
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        why = b""
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - this process ends here, and tells why
            why = str(error).encode() or type(error).__name__.encode()
        os.write(writing, why[:500])
        os._exit(0)
    os.close(writing)
    why = b""
    while part := os.read(reading, 500):
        why += part
    os.close(reading)
    _pid, status = os.waitpid(pid, 0)
    if status != 0:
        return f"the process that tried it ended with status {os.waitstatus_to_exitcode(status)}"
    return why.decode("utf-8", "replace") or None


def function(name: str, *arguments: object) -> int:
    """Call a function of the C library that answers -1 on failure. Raises OSError then."""
    if _libc is None:
        raise OSError(NOT_LINUX)
    return _checked(getattr(_libc, name)(*arguments), name)


def give_back_memory() -> None:
    """Return to the system what was freed and is still held: a fork copies the table of all pages."""
    if _libc is not None and hasattr(_libc, "malloc_trim"):  # glibc has it, others need not
        _libc.malloc_trim(0)


def put_pages_together() -> None:
    """Make huge pages of this process's large private blocks: a fork of it copies one entry where it copied 512.

    Kernels before 6.1 do not know this; there forks stay as dear as they were.
    """
    for block in _blocks():
        private = block.rights == "rw-p" and not block.file and block.name in ("", "[heap]")
        if private and block.end - block.start >= HUGE_PAGE:
            _advise(block, COLLAPSE)


def let_go_of_files() -> None:
    """Let go of what lies in files too: libraries were read to warm up, and a fork reads anew what it needs.

    The files' pages stay in the system's cache, and are found there at the next touch.
    """
    for block in _blocks():
        if block.file and "w" not in block.rights and not block.changed:
            _advise(block, DONT_NEED)


@dataclass(slots=True)
class _Block:
    """One line of a process's map of its memory, and whether anything in it differs from its file."""

    start: int
    end: int
    rights: str
    file: bool
    name: str
    changed: bool = False


def _blocks() -> list[_Block]:
    if _libc is None or not SMAPS.exists():  # a kernel may be built without it
        return []
    found: list[_Block] = []
    for line in SMAPS.read_text("utf-8", "replace").splitlines():
        first, *words = line.split()
        if not first.endswith(":"):
            start, end = (int(address, 16) for address in first.split("-"))
            found.append(_Block(start, end, words[0], words[3] != "0", " ".join(words[4:])))
        elif first == "Anonymous:":
            found[-1].changed = words[0] != "0"
    return found


def _advise(block: _Block, advice: int) -> None:
    """Advice that the kernel does not take changes nothing."""
    assert _libc is not None
    _libc.madvise(ctypes.c_void_p(block.start), ctypes.c_size_t(block.end - block.start), advice)
