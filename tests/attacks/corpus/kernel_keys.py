"""Leaves a key in the kernel's keyring for the next submission of the same user.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

refused(lambda: call("add_key", text("user"), text(f"nnkit-{T.token}"), text("poison"), 6, -2))
refused(lambda: call("keyctl", 0, -3, 1))
