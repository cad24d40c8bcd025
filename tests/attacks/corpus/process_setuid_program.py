"""Starts a program that makes its user root.

It cannot be started, and would gain nothing; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, no_new_privileges
# under: own_user

from arsenal import *

try:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writing, 1)
        os.execv(T.as_root, ["id", "-u"])
    os.close(writing)
    if os.getuid() != 0 and os.read(reading, 10).strip() == b"0":
        shout("a program of root's")
except OSError:
    if "pid" in globals() and pid == 0:
        os._exit(1)
