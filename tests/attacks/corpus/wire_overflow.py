"""Announces buffers whose lengths add up to nothing in 64 bits.

Nothing is allocated for them; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    answer(value(None), [2**63, 2**63])
