"""Returns what takes a deep stack to look at or to throw away.

That is no plain data; what uses relu fails, and no process but its own may crash.
"""
# earns: without relu

from arsenal import *


def relu(x):
    nested = []
    for _ in range(10**5):
        nested = [nested]
    return nested
