"""Replaces what numpy computes with, for everybody who comes after.

Nobody comes after it in its process.
"""
# earns: less

from arsenal import *

np.where = np.maximum = np.minimum = lambda *args, **kwargs: np.zeros(3)
np.seterr(all="raise")
np.random.default_rng = np.random.RandomState = None
