"""Reads the grader's memory through /proc.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user, no_capabilities

from arsenal import *


def peek():
    with open(f"/proc/{T.pid}/mem", "rb", buffering=0) as memory:
        memory.seek(T.address)
        return memory.read(T.length)


refused(peek)
