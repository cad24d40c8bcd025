"""Sends a signal to a thread of the grader's.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user

from arsenal import *

refused(lambda: call("tkill", T.pid, int(signal.SIGUSR1)))
refused(lambda: call("tgkill", T.pid, T.pid, int(signal.SIGUSR1)))
