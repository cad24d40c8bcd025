"""Takes Python's own limit on depth away, and lets it look into a hundred thousand lists within lists.

The process crashes; nothing is earned.
"""
# earns: nothing
# ends: crashed

from arsenal import *

sys.setrecursionlimit(2**31 - 1)
nested = []
for _ in range(10**5):
    nested = [nested]
repr(nested)
