"""Becomes root, or another submission's user.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, own_user, no_capabilities

from arsenal import *

refused(lambda: call("setresuid", 60001, 60001, 60001))
