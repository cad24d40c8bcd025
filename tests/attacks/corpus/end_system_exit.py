"""Raises what ends Python programs, at import.

It is an error like any other; nothing is earned.
"""
# earns: nothing
# ends: import_error

from arsenal import *

sys.exit(0)
