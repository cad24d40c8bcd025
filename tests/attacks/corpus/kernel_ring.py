"""Has the kernel make its calls for it, past the filter.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

refused(lambda: call("io_uring_setup", 4, ctypes.create_string_buffer(120)))
