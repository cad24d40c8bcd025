"""Types into the grader's terminal.

There is none here; the honest functions earn everything.
"""
# earns: all

from arsenal import *

TIOCSTI, TIOCLINUX = 0x5412, 0x541C
for number in range(4):
    refused(lambda number=number: call("ioctl", number, TIOCSTI, text("x")))
    refused(lambda number=number: call("ioctl", number, TIOCLINUX, text("x")))
