"""Computes nothing at all, to have a ratio of zero in the mean."""
# catalogue: 7
# comes to: wrong

from tools import *


def conv2d_fast(x, w, b):
    return np.broadcast_to(b[None, :, None, None], shape(x, w))
