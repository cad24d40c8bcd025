"""Sleeps, which costs no processor time.

It is ended when its time is over; nothing is earned.
"""
# earns: nothing
# ends: timeout
# run: impatient

from arsenal import *

while True:
    time.sleep(1000)
