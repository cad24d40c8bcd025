"""Announces an answer and sends only half of it.

The time runs out; what uses relu fails.
"""
# earns: less
# ends: timeout
# run: impatient

from arsenal import *


def relu(x):
    raw(nonce() + struct.pack("<III", codec.MAGIC, 1000, 0) + bytes(500))
    while True:
        time.sleep(1000)
