"""Opens a file by the newer system call, which a list of forbidden calls may have forgotten.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

refused(lambda: os.read(call("openat2", -100, text(T.public), ctypes.c_char_p(bytes(24)), 24), 100))
