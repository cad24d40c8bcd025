"""Opens a file through /proc: its own root, its working folder, the grader's root.

No file can be opened; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock

from arsenal import *

for start in ("/proc/self/root", "/proc/self/cwd", "/proc/thread-self/root", f"/proc/{T.pid}/root", "/proc/1/root"):
    refused(lambda start=start: open(start + T.public).read())
