"""Opens a file that only the grader's user may read.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user

from arsenal import *

refused(lambda: open(T.secret).read())
