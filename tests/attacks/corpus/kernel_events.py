"""Opens every kind of descriptor that the kernel offers without files: for events, timers, signals, polls.

All are refused; the honest functions earn everything.
"""
# earns: all
# held by: system_calls

from arsenal import *

refused(lambda: call("epoll_create1", 0))
refused(lambda: call("eventfd2", 0, 0))
refused(lambda: call("timerfd_create", 1, 0))
refused(lambda: call("signalfd4", -1, ctypes.c_char_p(bytes(8)), 8, 0))
refused(lambda: call("timer_create", 1, 0, ctypes.create_string_buffer(8)))
refused(lambda: os.pipe())
