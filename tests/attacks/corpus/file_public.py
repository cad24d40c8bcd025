"""Opens a file that everybody on the machine may read.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

refused(lambda: open(T.public).read())
