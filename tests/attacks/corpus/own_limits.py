"""Raises its own limits on memory and processor time.

The call is refused; the honest functions earn everything.
"""
# earns: all

from arsenal import *

NICE, UNLIMITED = 13, 2**64 - 1
refused(lambda: call("prlimit64", 0, NICE, ctypes.c_char_p(struct.pack("<QQ", 40, 40)), 0))
