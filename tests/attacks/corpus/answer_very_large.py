"""Returns an array that claims a million million entries and takes eight bytes.

It cannot be handed over; what uses relu fails.
"""
# earns: without relu

from arsenal import *


def relu(x):
    return np.broadcast_to(np.float64(0), (1 << 40,))
