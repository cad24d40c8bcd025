"""Answers with shapes that are negative, too many, overflow, or are no numbers.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    shape = [[2**40, 2**40], [-1, -8], [1] * 33, [True], [1.0], ["1"], [2**64 - 1], None][time.monotonic_ns() % 8]
    answer(value([codec.ARRAY, "<f8", shape, bytes(8)]))
