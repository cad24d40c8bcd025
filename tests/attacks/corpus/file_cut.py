"""Empties the grader's file by its path, without opening it.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user

from arsenal import *

refused(lambda: os.truncate(T.public, 0))
