"""Answers one byte at a time, each in time for the reader not to lose patience.

The time counts for the whole answer; what uses relu fails.
"""
# earns: less
# ends: timeout
# run: impatient

from arsenal import *


def relu(x):
    mine = nonce()
    for place in range(10**6):
        raw((mine + struct.pack("<III", codec.MAGIC, 10**6, 0) + bytes(10**6))[place : place + 1])
        time.sleep(0.05)
