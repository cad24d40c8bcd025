"""Asks to be traced, so that its parent is told of its signals and must let it go on.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

refused(lambda: call("ptrace", 0, 0, 0, 0))
