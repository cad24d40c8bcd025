"""Opens its own memory as a file, to search it beyond Python's reach.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

refused(lambda: open("/proc/self/mem", "rb"))
refused(lambda: open("/proc/self/maps").read())
