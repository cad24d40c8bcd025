"""Starts two hundred threads.

The system refuses long before that; the honest functions earn everything.
"""
# earns: all
# held by: limits, control_groups
# under: own_user

from arsenal import *

thread = sys.modules["_thread"]
stop = thread.allocate_lock()
stop.acquire()


def wait():
    with stop:
        pass


started = 0
try:
    thread.stack_size(65536)
    for started in range(200):
        thread.start_new_thread(wait, ())
except RuntimeError:
    pass
thread.stack_size(0)
stop.release()
if started > 150:
    shout(f"{started} threads")
