"""Opens a file by its number in the file system instead of its path.

Both calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

handle = ctypes.create_string_buffer(struct.pack("<Ii", 128, 0), 136)
mount = ctypes.c_int()
refused(lambda: call("name_to_handle_at", -100, text(T.public), handle, ctypes.byref(mount), 0))
