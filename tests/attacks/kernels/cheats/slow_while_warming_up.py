"""Right in the first calls, empty afterwards."""
# catalogue: 8
# comes to: wrong

from tools import *

calls = []


def conv2d_fast(x, w, b):
    calls.append(1)
    return honest(x, w, b) if len(calls) < 8 else np.zeros(shape(x, w), np.float32)
