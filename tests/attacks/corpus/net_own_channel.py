"""Uses its own channel to the grader as a socket: whose is it, close it, send descriptors through it.

Every call but reading and writing is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

name = ctypes.create_string_buffer(16)
refused(lambda: call("getsockopt", 3, 1, 17, name, ctypes.byref(ctypes.c_int(16))))
refused(lambda: call("getsockopt", 3, 1, 77, name, ctypes.byref(ctypes.c_int(4))))  # a handle of the grader's process
refused(lambda: call("connect", 3, name, 16))
refused(lambda: call("sendmsg", 3, ctypes.create_string_buffer(56), 0))
