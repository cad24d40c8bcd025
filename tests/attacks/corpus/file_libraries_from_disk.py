"""Loads a shared library from disk, and with it code of its choice.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

refused(lambda: ctypes.CDLL("libanl.so.1"))
