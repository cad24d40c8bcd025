"""Answers with what is neither a value nor an error.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    answer([pack(None), pack(5), pack([codec.LIST]), pack([codec.LIST, "passed", 1.0])][x.size % 4])
