"""Answers with a record of the call that is none.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    record = [[codec.LIST, 1, 2, 3], 7, "calm"][x.size % 3]
    answer(pack([codec.LIST, "value", [codec.ARRAY, "<f8", [1], bytes(8)], record]))
