"""Connects to a local socket that lies in the file system.

No socket can be made, and nothing arrives; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

refused(lambda: socket.socket(socket.AF_UNIX).connect(T.unix))
