"""Asks for a thread with namespaces of its own.

The call is refused; the honest functions earn everything.
"""
# earns: all

from arsenal import *

THREAD, VM, SIGHAND, NEWNS = 0x10000, 0x100, 0x800, 0x20000
refused(lambda: call("clone", THREAD | VM | SIGHAND | NEWNS, 0, 0, 0, 0))
