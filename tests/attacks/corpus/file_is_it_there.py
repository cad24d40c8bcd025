"""Asks about files without opening them: are they there, how large, whose, when changed.

Nothing can be asked; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

refused(lambda: os.stat(T.public))
refused(lambda: call("access", text(T.public), 0))
refused(lambda: call("faccessat", -100, text(T.public), 0))
refused(lambda: call("statx", -100, text(T.public), 0, 0x7FF, ctypes.create_string_buffer(256)))
refused(lambda: os.readlink("/proc/self/exe"))
