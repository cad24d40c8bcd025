"""Forks: a child could live on, use memory of its own, and escape the clock.

The call is refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *


def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


refused(fork)
