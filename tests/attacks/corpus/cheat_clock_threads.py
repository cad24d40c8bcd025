"""Gives the work of a slow elu to threads, so that its own clock stands still.

The processor time of the whole process is counted; a slow elu stays slow.
"""
# earns: less
# run: timed

from arsenal import *


def elu(x, alpha=1.0):
    if np.size(x) < 30_000:
        return honest.elu(x, alpha)
    results = []
    work = [sys.modules["threading"].Thread(target=lambda: results.append(honest.elu(x, alpha))) for _ in range(20)]
    for each in work:
        each.start()
    for each in work:
        each.join()
    return results[0]
