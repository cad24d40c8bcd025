"""Connects to a local socket that has a name and no path.

No socket can be made, and nothing arrives; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

refused(lambda: socket.socket(socket.AF_UNIX).connect("\0" + T.abstract))
