"""Aborts, which would leave a core file.

The process crashes; nothing is earned.
"""
# earns: nothing
# ends: crashed

from arsenal import *

os.abort()
