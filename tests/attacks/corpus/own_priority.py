"""Puts itself before everybody else.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, own_user, no_capabilities

from arsenal import *

refused(lambda: call("setpriority", 0, 0, -5))
