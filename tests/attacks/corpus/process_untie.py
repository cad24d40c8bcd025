"""Unties itself from its parent's end, and adopts the orphans of others.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

PDEATHSIG, SUBREAPER, DUMPABLE = 1, 36, 4
refused(lambda: call("prctl", PDEATHSIG, 0, 0, 0, 0))
refused(lambda: call("prctl", SUBREAPER, 1, 0, 0, 0))
refused(lambda: call("prctl", DUMPABLE, 1, 0, 0, 0))
