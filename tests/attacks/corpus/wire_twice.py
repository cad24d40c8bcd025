"""Answers twice: once by itself, rightly, and once through the worker.

The second answer belongs to no question, and the worker is ended.
"""
# earns: less
# ends: protocol_error

from arsenal import *


def relu(x):
    right = honest.relu(np.asarray(x, np.float64))
    answer(value([codec.ARRAY, "<f8", list(right.shape), right.tobytes()]))
    return honest.relu(x)
