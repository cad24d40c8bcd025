"""Calls functions of the test's that were never handed over.

There are none; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    answer(pack([codec.LIST, "back", [0, -1, 10**9, "print"][x.size % 4], [codec.LIST], [codec.DICT]]))
