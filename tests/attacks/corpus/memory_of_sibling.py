"""Reads the memory of a worker of the same user: the next submission's, which waits already.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, not_dumpable
# under: no_capabilities, no_new_privileges
# aims at: sibling

from arsenal import *

mine = ctypes.create_string_buffer(16)
here = ctypes.c_char_p(struct.pack("<QQ", ctypes.addressof(mine), 16))
there = ctypes.c_char_p(struct.pack("<QQ", id(sys.version), 16))
refused(lambda: call("process_vm_readv", T.pid, here, 1, there, 1, 0))
