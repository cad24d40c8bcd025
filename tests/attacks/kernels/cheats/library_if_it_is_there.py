"""Tries a library and falls back to slow code of its own."""
# catalogue: 34
# comes to: no gain

from tools import *


def conv2d_fast(x, w, b):
    try:
        return __import__("scipy.signal").signal.correlate(x, w)
    except Exception:
        return honest(x, w, b)
