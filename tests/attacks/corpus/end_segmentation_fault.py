"""Reads memory that is not there.

The process crashes; what uses relu fails, the rest has a process of its own.
"""
# earns: without relu
# ends: crashed

from arsenal import *


def relu(x):
    return ctypes.string_at(0)
