"""Sets limits on the grader, so that it fails for want of memory.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, own_user

from arsenal import *

ADDRESS_SPACE = 9
refused(lambda: call("prlimit64", T.pid, ADDRESS_SPACE, ctypes.c_char_p(struct.pack("<QQ", 1 << 46, 2**64 - 1)), 0))
refused(lambda: call("prlimit64", T.pid, ADDRESS_SPACE, 0, ctypes.create_string_buffer(16)))
