"""Looks for the grader's variables in its own: in Python's, in the C library's and in all texts in memory.

They never came here; the honest functions earn everything.
"""
# earns: all

from arsenal import *

libc.getenv.restype = ctypes.c_char_p
libc.getenv.argtypes = [ctypes.c_char_p]
found = [entry for entry in everything(str) if entry.startswith("-YRANAC"[::-1])]
if os.environ or libc.getenv(b"NNKIT_CANARY") or found:
    shout([dict(os.environ), found])
