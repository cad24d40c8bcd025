"""Answers with an array that has no entry and a side of 250 million.

It holds no memory; what uses relu fails.
"""
# earns: less
# ends: crashed

from arsenal import *


def relu(x):
    answer(value([codec.ARRAY, "<f8", [0, 1 << 28, 1 << 28], b""]))
    os._exit(0)
