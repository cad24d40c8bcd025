"""Sends a signal through a descriptor that stands for the grader.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user

from arsenal import *

refused(lambda: call("pidfd_send_signal", call("pidfd_open", T.pid, 0), int(signal.SIGUSR1), 0, 0))
