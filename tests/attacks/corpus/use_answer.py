"""Returns 300 MiB.

That is more than can be handed over; what uses relu fails.
"""
# earns: without relu

from arsenal import *


def relu(x):
    return np.zeros(300 << 17)
