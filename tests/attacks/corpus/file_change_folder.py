"""Changes its working folder and its root, to reach files by other names.

The calls are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces

from arsenal import *

refused(lambda: os.chdir(T.folder))
refused(lambda: os.chroot(T.folder))
