"""Asks for more memory than a worker may have.

Python raises MemoryError; the honest functions earn everything.
"""
# earns: all
# held by: limits

from arsenal import *

refused(lambda: np.empty(T.memory, np.uint8).size, MemoryError)
