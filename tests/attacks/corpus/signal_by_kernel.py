"""Has the kernel send signals to the grader whenever something moves on its own channels.

The owner of signals cannot be set; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces, landlock, own_user
# seen: outside

from arsenal import *

SETFL, SETOWN, SETSIG, ASYNC = 4, 8, 10, 0o20000
for command, what in ((SETOWN, T.pid), (SETSIG, int(signal.SIGUSR1)), (SETFL, ASYNC)):
    try:
        call("fcntl", 1, command, what)
        call("fcntl", 3, command, what)
    except OSError:
        continue


def relu(x):
    os.write(1, b"when this is read, a signal is sent")
    time.sleep(0.02)
    return honest.relu(x)
