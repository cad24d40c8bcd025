"""Landlock: a second lock on files, network and signals, in kernels from 5.13 on. Nothing at all is granted."""

from __future__ import annotations

import ctypes
import os
import struct

from . import _libc
from .job import Job

CREATE_RULESET, RESTRICT_SELF = 444, 446
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
    """Every file operation the kernel's version knows, TCP, abstract sockets, signals to outside: all refused."""

    name = "landlock"

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
            _libc.call(RESTRICT_SELF, ruleset, 0, what="landlock_restrict_self")
        finally:
            os.close(ruleset)
