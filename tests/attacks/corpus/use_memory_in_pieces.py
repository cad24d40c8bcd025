"""Asks for memory in pieces until there is no more, without using it.

Python raises MemoryError in time; the honest functions earn everything.
"""
# earns: all
# held by: limits

from arsenal import *

kept = []
try:
    for _ in range(T.memory >> 24):
        kept.append(np.empty(1 << 24, np.uint8))
    shout(f"{len(kept)} pieces")
except MemoryError:
    kept.clear()
