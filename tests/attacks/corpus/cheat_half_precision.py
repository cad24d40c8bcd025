"""Computes in half precision and returns double.

The tolerance is that of double precision.
"""
# earns: less

from arsenal import *


def elu(x, alpha=1.0):
    x = np.asarray(x)
    kind = x.dtype if x.dtype == np.float32 else np.float64
    return honest.elu(x.astype(np.float16), alpha).astype(kind)
