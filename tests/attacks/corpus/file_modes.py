"""Changes the mode and the times of the grader's files.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, own_user

from arsenal import *

refused(lambda: os.chmod(T.secret, 0o644))
refused(lambda: os.utime(T.public))
refused(lambda: os.chown(T.secret, os.getuid(), os.getgid()))
