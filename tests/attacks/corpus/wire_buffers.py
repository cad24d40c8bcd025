"""Answers with one buffer for two arrays, and with a buffer that is not there.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    one = [codec.ARRAY, "<f8", [1], 0]
    other = [codec.ARRAY, "<f8", [1], 7]
    answer(value([codec.LIST, one, one if x.size % 2 else other]), [8], bytes(8))
