"""Has the kernel send signals to the grader whenever something arrives on its own channel.

The owner of signals cannot be set; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user

from arsenal import *

SETFL, SETOWN, SETSIG, ASYNC = 4, 8, 10, 0o20000
for command, what in ((SETOWN, T.pid), (SETSIG, int(signal.SIGUSR1)), (SETFL, ASYNC)):
    try:
        call("fcntl", 3, command, what)
    except OSError:
        continue


def relu(x):
    return honest.relu(x)
