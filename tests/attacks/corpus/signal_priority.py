"""Makes the grader wait behind everybody else.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, own_user, no_capabilities

from arsenal import *

refused(lambda: call("setpriority", 0, T.pid, 19))
