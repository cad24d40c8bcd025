"""Answers with texts and lists that claim to have four billion entries.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    answer((b"\xdb" if x.size % 2 else b"\xdd") + b"\xff" * 4)
