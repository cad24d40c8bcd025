"""Prints without end.

The beginning is kept, the rest is thrown away; the honest functions earn everything.
"""
# earns: all

from arsenal import *

for _ in range(300):
    os.write(1, b"x" * 99_999 + b"\n")
