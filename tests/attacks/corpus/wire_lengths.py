"""Announces heads and buffers larger than any memory, in turn.

Nothing is allocated for them; what uses relu fails.
"""
# earns: without relu
# ends: protocol_error

from arsenal import *


def relu(x):
    many = 2**32 - 1
    choice = time.monotonic_ns() % 4
    if choice == 0:
        raw(nonce() + struct.pack("<III", codec.MAGIC, many, 0))
    elif choice == 1:
        raw(nonce() + struct.pack("<III", codec.MAGIC, 4, many))
    elif choice == 2:
        answer(value(None), [2**63])
    else:
        answer(value(None), [10 << 30])
