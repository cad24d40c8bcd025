"""Asks whether it could send a signal to every process at once.

The call is refused; the honest functions earn everything.
"""
# earns: all

from arsenal import *

refused(lambda: os.kill(-1, 0))
