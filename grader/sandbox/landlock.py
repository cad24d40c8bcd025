"""Landlock: a second lock on files, network and signals, in kernels from 5.13 on.

In the jail nothing at all is granted. At the level `gpu`, whose code needs libraries and devices, a few folders can be
read and one can be written.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from . import _libc
from .job import Job

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, TRUNCATE, DEVICE_CONTROL = 1, 2, 4, 8, 1 << 14, 1 << 15
MAKE_AND_REMOVE = (
    1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 13
)  # remove folder, remove file, make folder, make file, move
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICE_CONTROL
VERSION = 1
# What an interface version knows of files; a ruleset that handles an unknown right is refused.
FILE_RIGHTS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
NETWORK_RIGHTS, SCOPES = 3, 3  # bind and connect TCP (from 4); abstract sockets and signals (from 6)


def version() -> int:
    """The kernel's interface version; 0 where there is none."""
    try:
        return _libc.call(CREATE_RULESET, None, 0, VERSION, what="landlock")
    except OSError:
        return 0


class Landlock:
    """Every file operation the kernel's version knows, TCP, abstract sockets, signals to outside: all refused.

    Args:
        readable: folders and files that may be read and executed.
        writable: folders and files that may be read and written.
    """

    name = "landlock"

    def __init__(self, readable: Iterable[str] = (), writable: Iterable[str] = ()) -> None:
        self._readable, self._writable = tuple(readable), tuple(writable)

    def missing(self) -> str | None:
        """Say why not, or None."""
        return None if version() else "this kernel has no Landlock, or it is switched off (see its lsm= parameter)"

    def apply(self, _job: Job) -> None:
        """Restrict the calling process, for good."""
        known = version()
        rights = struct.pack(
            "<QQQ", FILE_RIGHTS[min(known, 5)], NETWORK_RIGHTS if known >= 4 else 0, SCOPES if known >= 6 else 0
        )
        size = 8 if known < 4 else 16 if known < 6 else 24
        ruleset = _libc.call(CREATE_RULESET, ctypes.c_char_p(rights), size, 0, what="landlock_create_ruleset")
        try:
            for paths, granted in (
                (self._readable, READ_FILE | READ_FOLDER | EXECUTE),
                (self._writable, READ_FILE | READ_FOLDER | WRITE_FILE | TRUNCATE | MAKE_AND_REMOVE | DEVICE_CONTROL),
            ):
                for path in paths:
                    _grant(ruleset, path, granted & FILE_RIGHTS[min(known, 5)])
            _libc.call(RESTRICT_SELF, ruleset, 0, what="landlock_restrict_self")
        finally:
            os.close(ruleset)


def _grant(ruleset: int, path: str, rights: int) -> None:
    if not Path(path).exists():
        return  # /lib64 or a device is not everywhere
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        allowed = rights if Path(path).is_dir() else rights & OF_A_FILE
        rule = ctypes.c_char_p(struct.pack("<Qi", allowed, place))
        _libc.call(ADD_RULE, ruleset, PATH_BENEATH, rule, 0, what=f"landlock_add_rule {path}")
    finally:
        os.close(place)
