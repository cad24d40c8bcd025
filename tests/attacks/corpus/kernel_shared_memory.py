"""Leaves memory behind that belongs to no process, for the next submission or to use it up.

The calls are refused; nothing is left; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces
# seen: outside

from arsenal import *

CREATE = 0o1666
try:
    call("shmget", T.key, 4096, CREATE)
    call("msgget", T.key, CREATE)
    call("semget", T.key, 1, CREATE)
except OSError:
    pass
