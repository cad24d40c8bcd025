"""Forks by the system calls themselves: fork, vfork, clone, clone3.

All are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *


def started(pid):
    if pid == 0:
        libc._exit(0)
    return pid


SIGCHLD = 17
refused(lambda: started(call("fork")))
refused(lambda: started(call("clone", SIGCHLD, 0, 0, 0, 0)))
refused(lambda: started(call("clone3", ctypes.c_char_p(struct.pack("<8Q", 0, 0, 0, 0, SIGCHLD, 0, 0, 0)), 64)))
