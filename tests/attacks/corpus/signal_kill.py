"""Sends the grader a signal, by its number and to everybody at once.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user

from arsenal import *

refused(lambda: os.kill(T.pid, signal.SIGUSR1))
refused(lambda: os.kill(os.getppid() or T.pid, 0))
refused(lambda: os.kill(-T.pid, 0))
