"""Answers with an error whose lines of code are no lines.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    lines = [codec.LIST, [codec.LIST, 1, 2, 3], 4]
    answer(pack([codec.LIST, "error", "ValueError", [codec.LIST], "text", lines, None]))
