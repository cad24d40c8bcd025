"""Leaves a queue of messages behind that belongs to no process.

The call is refused; the honest functions earn everything.
"""
# earns: all

from arsenal import *

refused(lambda: call("mq_open", text(f"nnkit-{T.token}"), 0o102, 0o666, 0))
