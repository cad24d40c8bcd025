"""Opens the section's hidden tests and its reference.

No file can be opened; the honest functions earn everything.
"""
# earns: all

from arsenal import *

for path in T.answers:
    refused(lambda path=path: open(path).read())
