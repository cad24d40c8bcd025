"""Loops without end and ignores every signal.

It is ended when its time is over; nothing is earned.
"""
# earns: nothing
# ends: timeout
# run: impatient

from arsenal import *

for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
while True:
    pass
