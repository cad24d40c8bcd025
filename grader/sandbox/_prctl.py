"""Linux's prctl(2), through ctypes."""

from __future__ import annotations

import ctypes
import os
import sys

SET_PDEATHSIG, SET_DUMPABLE, SET_NO_NEW_PRIVS = 1, 4, 38

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def prctl(option: int, value: int) -> None:
    """Set one option of the calling process. Raises OSError when the kernel refuses."""
    if _libc is None:
        raise OSError("prctl is there on Linux only")
    if _libc.prctl(*(ctypes.c_ulong(word) for word in (option, value, 0, 0, 0))) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def missing() -> str | None:
    """Say why there is no prctl here, or None."""
    return None if _libc is not None else "this layer needs Linux"
