"""Adds filters of its own, which could answer for the kernel.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

MODE_FILTER, ALLOW = 1, 0x7FFF0000
step = ctypes.create_string_buffer(struct.pack("<HBBI", 6, 0, 0, ALLOW), 8)
program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 1, ctypes.addressof(step)), 16)
refused(lambda: call("seccomp", MODE_FILTER, 0, program))
refused(lambda: call("prctl", 22, 2, program, 0, 0))
