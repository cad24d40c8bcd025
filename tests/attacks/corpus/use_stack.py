"""Takes Python's own limit on depth away, and lets it compare a million lists within lists.

The process crashes; nothing is earned.
"""
# earns: nothing
# ends: crashed

from arsenal import *

sys.setrecursionlimit(2**31 - 1)
one, other = [], []
for _ in range(10**6):
    one, other = [one], [other]
one == other
