"""Brings a numpy of its own.

Only its own imports see it; the honest functions earn everything.
"""
# earns: all
# brings: msgspec.py, plugin.py, compare.py

from arsenal import *

sys.modules["plugin"] = T
