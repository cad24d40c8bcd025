"""Leaves its session and its group of processes, so that nobody finds it.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

refused(lambda: call("setsid"))
