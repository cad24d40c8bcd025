"""Shares the images among threads: their processor time is added up."""
# catalogue: 13, prototype 9
# comes to: no gain

from tools import *


def conv2d_fast(x, w, b):
    parts = [None] * len(x)
    threads = [later(lambda n=n: parts.__setitem__(n, honest(x[n : n + 1], w, b))) for n in range(len(x))]
    while any(part is None for part in parts):
        time.sleep(0)
    return np.concatenate(parts)
