"""Takes limits away from the grader, so that it fails for want of descriptors.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, own_user

from arsenal import *

NOFILE = 7
refused(lambda: call("prlimit64", T.pid, NOFILE, ctypes.c_char_p(struct.pack("<QQ", 200, 200)), 0))
refused(lambda: call("prlimit64", T.pid, NOFILE, 0, ctypes.create_string_buffer(16)))
