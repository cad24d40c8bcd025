"""Opens one descriptor after the other.

There are 64; the honest functions earn everything.
"""
# earns: all
# held by: limits

from arsenal import *

opened = []
try:
    for _ in range(1500):
        opened.append(os.dup(0))
except OSError:
    pass
for number in opened:
    os.close(number)
if len(opened) > 1000:
    shout(f"{len(opened)} descriptors")
