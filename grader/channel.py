"""Bytes through a socket with few system calls. Both sides of the border read and write with it."""

from __future__ import annotations

from collections.abc import Callable

from .codec import Buffer

NONCE = 8  # bytes
AHEAD = 4096  # bytes; most questions and answers are smaller and arrive in one reading
PARTS_AT_ONCE = 64


class ReadAhead:
    """Reads exactly so many bytes; what arrives with them is kept for the next reading.

    Args:
        fill: waits for bytes, puts them into these places one after the other, returns how many; or raises.
    """

    def __init__(self, fill: Callable[[list[memoryview]], int]) -> None:
        self._fill = fill
        self._spare = memoryview(bytearray(AHEAD))
        self._start = self._end = 0

    def __call__(self, count: int) -> bytearray:
        """Return so many bytes, in memory of their own."""
        if count <= self.ahead:
            self._start += count
            return bytearray(self._spare[self._start - count : self._start])
        data = bytearray(count)
        kept = self.ahead
        data[:kept] = self._spare[self._start : self._start + kept]
        view = memoryview(data)[kept:]
        while view:
            got = self._fill([view, self._spare])
            self._start, self._end = 0, max(0, got - len(view))
            view = view[got:]
        return data

    @property
    def ahead(self) -> int:
        """How many bytes have been read and not asked for."""
        return self._end - self._start


def write(parts: list[Buffer], send: Callable[[list[memoryview]], int]) -> None:
    """Write every part.

    Args:
        parts: one after the other.
        send: waits until something can be written, writes the beginning of these views, returns how many bytes; or raises.
    """
    views = [memoryview(part).cast("B") for part in parts if len(part)]
    while views:
        sent = send(views[:PARTS_AT_ONCE])
        while sent:
            if sent < len(views[0]):
                views[0] = views[0][sent:]
                break
            sent -= len(views.pop(0))
