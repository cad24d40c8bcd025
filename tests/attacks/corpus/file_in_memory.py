"""Makes files in memory, which no limit on memory counts.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

refused(lambda: call("memfd_create", text("attack"), 0))
