"""Returns arrays of objects, of texts, of records and of dates.

None crosses; what uses relu fails.
"""
# earns: without relu

from arsenal import *


def relu(x):
    kinds = ["O", "U5", "S5", "V8", "M8[s]", [("passed", "f8")], "f8,f8", "longdouble"]
    return np.zeros(3, kinds[time.monotonic_ns() % len(kinds)])
