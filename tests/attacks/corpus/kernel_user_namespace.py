"""Makes a user namespace, in which it would be root.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

refused(lambda: call("unshare", 0x10000000))
