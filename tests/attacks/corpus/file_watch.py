"""Has the kernel tell when the grader's files are used.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

refused(lambda: call("inotify_add_watch", call("inotify_init1", 0), text(T.folder), 0xFFF))
