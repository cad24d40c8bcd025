"""Answers with a boolean that is neither true nor false.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    answer(value([codec.ARRAY, "|b1", [1], b"\x02"]))
