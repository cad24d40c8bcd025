"""Makes a call by the numbers of another table of calls on the same machine.

The kernel ends the process; nothing is earned.
"""
# earns: nothing
# ends: crashed
# only: x86_64

from arsenal import *

libc.syscall(ctypes.c_long(0x40000000 + 39))
shout("a call of the other table")
