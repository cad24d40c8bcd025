"""Answers with a whole number that can be read but not written.

The test that passes it on fails like any other; it is no fault of the grader.
"""
# earns: less
# ends: crashed

from arsenal import *


def relu(x):
    answer(value([codec.BIG_INT, "f" * 1099]))
    os._exit(0)
