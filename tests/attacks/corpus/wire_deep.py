"""Answers with lists nested 900,000 deep.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    answer(b"\x91" * 900_000 + b"\xc0")
