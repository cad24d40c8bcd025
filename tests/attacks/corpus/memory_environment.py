"""Reads the grader's environment variables and its command line through /proc.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user, no_capabilities

from arsenal import *

refused(lambda: open(f"/proc/{T.pid}/environ").read())
refused(lambda: open(f"/proc/{os.getppid()}/environ").read())
