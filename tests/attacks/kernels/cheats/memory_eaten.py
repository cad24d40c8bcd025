"""Eats all the memory there is."""
# catalogue: 48
# comes to: stopped

from tools import *


def conv2d_fast(x, w, b):
    return np.ones(1 << 33).sum()
