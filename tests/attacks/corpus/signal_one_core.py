"""Ties the grader to one core.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, own_user, no_capabilities

from arsenal import *

refused(lambda: call("sched_setaffinity", T.pid, 8, ctypes.c_char_p(struct.pack("<Q", 1))))
