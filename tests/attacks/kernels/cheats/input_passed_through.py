"""Returns a view of its input."""
# catalogue: 24
# comes to: wrong

from tools import *


def conv2d_fast(x, w, b):
    return np.resize(x, shape(x, w))
