"""Rounds its arguments to half precision."""
# catalogue: 26, prototype 11
# comes to: wrong

from tools import *


def conv2d_fast(x, w, b):
    return fast(x.astype(np.float16).astype(np.float32), w.astype(np.float16).astype(np.float32), b)
