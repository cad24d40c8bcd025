"""Opens a file without any right to read it, to learn that it is there and how large it is.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

refused(lambda: os.fstat(os.open(T.secret, os.O_PATH)).st_size)
