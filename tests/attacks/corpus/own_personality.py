"""Switches off the random layout of memory, and its own filter's view of the machine.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

refused(lambda: call("personality", 0x0040000))
