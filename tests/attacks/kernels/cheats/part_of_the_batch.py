"""Computes the first image only."""
# catalogue: 28, prototype 8
# comes to: wrong

from tools import *


def conv2d_fast(x, w, b):
    out = np.zeros(shape(x, w), np.float32)
    out[:1] = honest(x[:1], w, b)
    return out
