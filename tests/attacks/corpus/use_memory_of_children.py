"""Uses more memory than it may have by sharing the work among processes.

No process can be started, and all together are counted; the honest functions earn everything.
"""
# earns: all
# held by: system_calls, control_groups

from arsenal import *


def child(size):
    pid = os.fork()
    if pid == 0:
        kept = np.ones(size, np.uint8)
        time.sleep(0.5 if kept.any() else 0)
        os._exit(0)
    return pid


def family():
    pids = [child(T.memory // 4) for _ in range(6)]
    ends = [os.waitpid(pid, 0)[1] for pid in pids]
    if any(ends):
        raise OSError("one was killed")


if T.small:
    refused(family, MemoryError)
else:
    refused(os.fork)
