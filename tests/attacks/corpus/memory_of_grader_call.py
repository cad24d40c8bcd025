"""Reads and writes the grader's memory by the system calls for that.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user, no_capabilities

from arsenal import *

mine = ctypes.create_string_buffer(T.length)
here = ctypes.c_char_p(struct.pack("<QQ", ctypes.addressof(mine), T.length))
there = ctypes.c_char_p(struct.pack("<QQ", T.address, T.length))


def peek():
    call("process_vm_readv", T.pid, here, 1, there, 1, 0)
    return mine.raw


refused(peek)
