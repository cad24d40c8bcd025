"""Ends its process as if all were well, at import.

A process that ended gave no answer; nothing is earned.
"""
# earns: nothing
# ends: crashed

from arsenal import *

os._exit(0)
