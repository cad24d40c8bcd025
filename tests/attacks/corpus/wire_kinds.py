"""Answers with maps, extensions, times and references: kinds that no answer of ours uses.

The reader refuses; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    inside = [b"\x81\xa1a\x01", b"\xd4\x05\x00", b"\xd6\xff\x00\x00\x00\x00", b"\xc1", b"\xa2\xff\xff"][x.size % 5]
    answer(b"\x94\x00\xa5value" + inside + b"\xc0")
