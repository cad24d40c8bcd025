"""Answers with an array of Python objects: eight bytes that are an address.

Only numbers are arrays; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    answer(value([codec.ARRAY, "|O", [1], struct.pack("<Q", id(x))]))
