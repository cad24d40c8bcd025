"""Opens the system's passwords, and the list of its users.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

refused(lambda: open("/etc/shadow").read())
refused(lambda: open("/etc/passwd").read())
