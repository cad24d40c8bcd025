"""Leaves a process behind that has nothing to do with it any more.

No process can be started, and none is left; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, namespaces
# seen: outside

from arsenal import *


def daemon():
    os.setsid()
    if os.fork() == 0:
        libc.prctl(15, text(f"nnkit-{T.token}"), 0, 0, 0)
        for number in range(10):
            try:
                os.close(number)
            except OSError:
                continue
        time.sleep(20)
    os._exit(0)


try:
    child = os.fork()
except OSError:
    child = None
if child == 0:
    daemon()
if child:
    os.waitpid(child, 0)
    time.sleep(0.3)
