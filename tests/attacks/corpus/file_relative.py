"""Climbs out of whatever folder it is in, one step at a time.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

refused(lambda: open("../" * 20 + T.public[1:]).read())
refused(lambda: open("/.." * 20 + T.public).read())
