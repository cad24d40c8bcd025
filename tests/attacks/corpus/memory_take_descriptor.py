"""Takes an open descriptor out of the grader.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user, no_capabilities

from arsenal import *

refused(lambda: call("pidfd_getfd", call("pidfd_open", T.pid, 0), 0, 0))
