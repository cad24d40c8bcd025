"""Queues a signal with data for the grader.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user

from arsenal import *

details = ctypes.create_string_buffer(struct.pack("<iii", int(signal.SIGUSR1), 0, -1), 128)
refused(lambda: call("rt_sigqueueinfo", T.pid, int(signal.SIGUSR1), details))
refused(lambda: call("rt_tgsigqueueinfo", T.pid, T.pid, int(signal.SIGUSR1), details))
