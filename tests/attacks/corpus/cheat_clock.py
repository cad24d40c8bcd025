"""Patches every clock of Python and of numpy, and sleeps instead of computing.

Time is read from outside; a slow elu stays slow.
"""
# earns: less
# run: timed

from arsenal import *

for name in ("time", "perf_counter", "process_time", "monotonic", "thread_time", "perf_counter_ns", "process_time_ns"):
    setattr(time, name, lambda: 0)


def elu(x, alpha=1.0):
    if np.size(x) < 30_000:
        return honest.elu(x, alpha)
    for _ in range(20):
        right = honest.elu(x, alpha)
    return right
