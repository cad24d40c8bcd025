"""Attaches itself to the grader as a debugger.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user, no_capabilities

from arsenal import *

SEIZE = 0x4206
refused(lambda: call("ptrace", SEIZE, T.pid, 0, 0))
refused(lambda: call("ptrace", SEIZE, os.getppid(), 0, 0))
