"""Answers the mean."""
# catalogue: 27
# comes to: wrong

from tools import *


def conv2d_fast(x, w, b):
    return np.full(shape(x, w), x.mean() + b.mean(), np.float32)
