"""Answers with whole numbers of a million digits, and with texts that are none.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    answer(value([codec.BIG_INT, "0x" + "f" * 10**6 if x.size % 2 else "__import__"]))
