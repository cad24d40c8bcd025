"""Shuts its channel to the grader in one direction.

The call is refused; the honest functions earn everything.
"""
# earns: all

from arsenal import *

refused(lambda: call("shutdown", 3, 0))
