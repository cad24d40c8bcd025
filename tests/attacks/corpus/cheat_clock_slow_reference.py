"""Keeps the machine busy while the reference is timed, so that a slow elu looks fast beside it.

Processor time is compared, not the clock, and what its threads use is its own; a slow elu stays slow.
"""
# earns: less
# run: timed

from arsenal import *

threading = sys.modules["threading"]


def busy():
    end = time.perf_counter() + 0.1
    while time.perf_counter() < end:
        pass


def elu(x, alpha=1.0):
    if np.size(x) < 30_000:
        return honest.elu(x, alpha)
    for _ in range(20):
        right = honest.elu(x, alpha)
    for _ in range(2):
        threading.Thread(target=busy).start()
    return right
