"""Leaves its namespaces and enters the grader's.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, own_user, no_capabilities

from arsenal import *

refused(lambda: call("unshare", 0x4000000))
refused(lambda: call("setns", call("pidfd_open", T.pid, 0), 0x4000000))
