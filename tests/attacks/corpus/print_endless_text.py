"""Raises an exception whose text takes for ever to make, and lies about its kind.

Its text is not waited for longer than for an answer; what uses relu fails.
"""
# earns: without relu

from arsenal import *


class Kind(Exception):
    def __str__(self):
        raise RecursionError

    def __repr__(self):
        raise MemoryError

    @property
    def __class__(self):
        return KeyboardInterrupt


def relu(x):
    raise Kind
