"""Answers with tags that no answer has: functions of the test, tensors that are none, unknown ones.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    answer(value([[codec.CALLBACK, 0], [99], [codec.TENSOR, "object", False, [1], b"x"], [codec.DICT, 1]][x.size % 4]))
